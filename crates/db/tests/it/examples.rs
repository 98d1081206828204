//! The examples, as they are: each checks what comes of it.

#[path = "../../examples/counters.rs"]
mod counters;
#[path = "../../examples/job_queue.rs"]
mod job_queue;
#[path = "../../examples/quick_start.rs"]
mod quick_start;
#[path = "../../examples/transfer.rs"]
mod transfer;
#[path = "../../examples/typed_collection.rs"]
mod typed_collection;

#[test]
fn quick_start() {
    quick_start::main().unwrap();
}

#[test]
fn typed_collection() {
    typed_collection::main().unwrap();
}

#[test]
fn job_queue() {
    job_queue::main().unwrap();
}

#[test]
fn transfer() {
    transfer::main().unwrap();
}

#[test]
fn counters() {
    counters::main().unwrap();
}
