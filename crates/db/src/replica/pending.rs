//! [`Pending`]: a value that another thread provides, as a future that needs no runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Ready when the value has been provided.
pub(crate) struct Pending<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// The function that provides the value, and the future of it.
pub(crate) fn pending<T>() -> (impl FnOnce(T), Pending<T>) {
    let state = Arc::new(Mutex::new(State { value: None, waker: None }));
    let waiting = Pending(state.clone());
    let give = move |value| {
        let waker = {
            let mut state = state.lock();
            state.value = Some(value);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    };
    (give, waiting)
}

impl<T> Future for Pending<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.0.lock();
        match state.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
