//! Every engine in every mode keeps the contract.

use std::sync::Arc;

use velocitydb_storage::Engine;
use velocitydb_storage::contract::{TestEngine, run};
use velocitydb_storage::lsm::{Lsm, LsmOptions};

#[test]
fn lsm() {
    run(&|| {
        let folder = tempfile::tempdir().unwrap();
        let open = move || -> Arc<dyn Engine> {
            let options = LsmOptions::new(folder.path(), &["first", "second"]);
            Arc::new(Lsm::open(options).unwrap())
        };
        TestEngine {
            engine: open(),
            reopen: Some(Box::new(move |engine| {
                drop(engine);
                open()
            })),
        }
    });
}
