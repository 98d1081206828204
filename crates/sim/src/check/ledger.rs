//! The checker of transactions: each moves an amount between two accounts and records it in
//! the ledger, so if accounts and ledger disagree, a transaction was applied in part.

use std::collections::BTreeMap;

use velocitydb::DocumentId;

use super::Violation;
use crate::history::{Fate, History};
use crate::operation::{Operation, What};
use crate::perform::{BALANCE, account};
use crate::state::{Account, Entry, State};
use crate::workload::ACCOUNTS;

pub(super) fn check(before: &State, history: &History, after: &State) -> Vec<Violation> {
    let mut violations = Vec::new();
    check_entries(before, history, after, &mut violations);
    check_accounts(before, after, &mut violations);
    violations
}

fn check_entries(
    before: &State,
    history: &History,
    after: &State,
    violations: &mut Vec<Violation>,
) {
    let mut violate = |operation, what| violations.push(Violation::Ledger { operation, what });
    for (&operation, entry) in &before.ledger {
        if after.ledger.get(&operation) != Some(entry) {
            violate(operation, "it was there before the cycle");
        }
    }
    for call in &history.calls {
        let Some(expected) = entry_of(&call.operation) else { continue };
        let id = call.operation.id;
        match (history.fate(call, after.index), after.ledger.get(&id)) {
            (Fate::Retained, None) => violate(id, "it was acknowledged and is lost"),
            (Fate::Lost, Some(_)) => violate(id, "it is there, though the state ends before it"),
            (Fate::Nothing, Some(_)) => violate(id, "it was refused and is there"),
            (_, Some(found)) if *found != expected => violate(id, "it is not what was written"),
            _ => {}
        }
    }
    for &operation in after.ledger.keys() {
        if !before.ledger.contains_key(&operation) && history.call(operation).is_none() {
            violate(operation, "nobody wrote it");
        }
    }
}

fn entry_of(operation: &Operation) -> Option<Entry> {
    match operation.what {
        What::Transfer { from, to, amount } => Some(Entry { from, to, amount }),
        _ => None,
    }
}

fn check_accounts(before: &State, after: &State, violations: &mut Vec<Violation>) {
    let none_is_fine = before.accounts.is_empty() && after.ledger.is_empty();
    if after.accounts.is_empty() && none_is_fine {
        return;
    }
    let mut expected: BTreeMap<DocumentId, Account> = (0..ACCOUNTS)
        .map(|number| (account(number), Account { version: 1, balance: BALANCE }))
        .collect();
    for entry in after.ledger.values() {
        for (number, sign) in [(entry.from, -1), (entry.to, 1)] {
            if let Some(account) = expected.get_mut(&account(number)) {
                account.version += 1;
                account.balance += sign * i64::from(entry.amount);
            }
        }
    }
    if after.accounts.keys().ne(expected.keys()) {
        let (found, expected) = (after.accounts.len(), expected.len());
        violations.push(Violation::Accounts { found, expected });
    }
    for (name, expected) in &expected {
        if let Some(found) = after.accounts.get(name).filter(|found| *found != expected) {
            violations.push(Violation::Balance {
                account: name.clone(),
                balance: found.balance,
                expected: expected.balance,
                version: found.version,
                expected_version: expected.version,
            });
        }
    }
}
