//! `$group`, and the stages that are variants of it: a table from keys to the states of
//! accumulators.

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::ops::ControlFlow;

use hashbrown::HashTable;
use rapidhash::fast::RandomState;

use super::accumulator::Plan;
use super::bucket::Bucket;
use super::context::{Held, Shared};
use super::expression::{Direct, Env, Item, Node, Parser};
use super::measure::Measure;
use super::row::{Row, World};
use super::state::State;
use crate::key::{Direction, encode_key, encode_key_value};
use crate::{Object, Result, Value};

/// A `$group`.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) key: GroupKey,
    /// In the order in which they are written.
    pub(super) fields: Vec<(String, Plan)>,
    pub(super) order: Order,
}

/// The grouping key.
#[derive(Debug, Clone)]
pub(super) enum GroupKey {
    Single(Node),
    /// An object of expressions, so that no object is built for each row.
    Object(Vec<(String, Node)>),
    Bucket(Bucket),
}

/// The order in which groups are returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Key,
    /// By the first field, descending, and then by key.
    Largest,
}

impl Group {
    pub(super) fn parse(parser: &mut Parser, operand: &Value) -> Result<Self> {
        let Some(fields) = operand.as_object() else {
            return parser.refuse("takes an object with `_id` and accumulators");
        };
        let Some(id) = fields.get(ID) else {
            return parser
                .refuse("needs `_id`, the expression to group by; null is one group of all");
        };
        let key = match parser.within("_id", |parser| parser.expression(id))? {
            Node::Object(fields) => GroupKey::Object(fields),
            node => GroupKey::Single(node),
        };
        let mut rest = fields.clone();
        rest.remove(ID);
        Ok(Self { key, fields: read_fields(parser, &rest)?, order: Order::Key })
    }

    /// `$sortByCount`, as a group.
    pub(super) fn by_count(parser: &mut Parser, operand: &Value) -> Result<Self> {
        if operand.as_object().is_none()
            && !operand.as_str().is_some_and(|path| path.starts_with('$'))
        {
            return parser.refuse(
                "takes an expression, such as \"$city\"; of a constant there would be one group",
            );
        }
        let key = GroupKey::Single(parser.expression(operand)?);
        let count = Plan::parse(parser, &crate::value!({ "$sum": 1 }))?;
        Ok(Self { key, fields: vec![("count".to_owned(), count)], order: Order::Largest })
    }
}

/// Reads the accumulators of a group.
pub(super) fn read_fields(parser: &mut Parser, fields: &Object) -> Result<Vec<(String, Plan)>> {
    let read = |(name, value): (&str, &Value)| {
        parser.within(name, |parser| {
            if name.is_empty() || name.contains('.') || name.starts_with('$') {
                return parser
                    .refuse("is no name of a field: it is empty, has a dot or begins with `$`");
            }
            Ok((name.to_owned(), Plan::parse(parser, value)?))
        })
    };
    fields.iter().map(read).collect()
}

const ID: &str = "_id";

/// The tag of a missing part of a key; no value's key begins with it.
const MISSING: u8 = 0x08;

impl GroupKey {
    /// Appends bytes that differ for different keys.
    #[inline]
    fn encode(&self, env: Env<'_>, key: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Single(node) => {
                encode_node(node, env, key)?;
                if *key == [MISSING] {
                    key.clear();
                    encode_key_value(&Value::Null, Direction::Ascending, key);
                }
            }
            Self::Object(fields) => {
                fields.iter().try_for_each(|(_, node)| encode_node(node, env, key))?;
            }
            Self::Bucket(bucket) => bucket.encode_key(&bucket.by.eval(env)?, key)?,
        }
        Ok(())
    }

    /// The `_id` of the group that a row belongs to.
    fn id(&self, env: Env<'_>) -> Result<Value> {
        match self {
            Self::Single(node) => node.eval(env)?.into_value(),
            Self::Object(fields) => {
                let mut id = Object::with_capacity(fields.len());
                for (name, node) in fields {
                    id.extend(node.eval(env)?.into_option()?.map(|value| (name.as_str(), value)));
                }
                Ok(id.into())
            }
            Self::Bucket(bucket) => Ok(bucket.name(&bucket.by.eval(env)?)?.clone()),
        }
    }
}

#[inline]
fn encode_node(node: &Node, env: Env<'_>, key: &mut Vec<u8>) -> Result<()> {
    match node.direct(env)? {
        Direct::Raw(value) => encode_key(value, Direction::Ascending, key),
        Direct::Missing => {
            key.push(MISSING);
            Ok(())
        }
        Direct::Other => encode_item(&node.eval(env)?, key),
    }
}

fn encode_item(item: &Item<'_>, key: &mut Vec<u8>) -> Result<()> {
    match item {
        Item::Missing => key.push(MISSING),
        Item::Raw(value) => encode_key(*value, Direction::Ascending, key)?,
        Item::Ref(value) => encode_key_value(value, Direction::Ascending, key),
        Item::Owned(value) => encode_key_value(value, Direction::Ascending, key),
    }
    Ok(())
}

/// A running `$group`.
pub(super) struct Grouper<'p> {
    plan: &'p Group,
    place: &'p str,
    table: HashTable<u32>,
    hasher: RandomState,
    groups: Vec<Entry>,
    /// The states of a group are adjacent.
    states: Vec<State>,
    /// The key of the current row.
    key: Vec<u8>,
    held: Held,
}

struct Entry {
    key: Box<[u8]>,
    /// The simplest of the equal ones.
    id: Value,
    is_simplest: bool,
}

impl<'p> Grouper<'p> {
    pub(super) fn new(plan: &'p Group, place: &'p str) -> Self {
        Self {
            plan,
            place,
            table: HashTable::new(),
            hasher: RandomState::new(),
            groups: Vec::new(),
            states: Vec::new(),
            key: Vec::new(),
            held: Held::default(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, row: &Row<'_>, world: World<'_>) -> Result<()> {
        world.shared.step()?;
        let env = world.env(row);
        self.key.clear();
        self.plan.key.encode(env, &mut self.key)?;
        let hash = self.hasher.hash_one(self.key.as_slice());
        let found = self.table.find(hash, |at| *self.groups[*at as usize].key == *self.key);
        let group = match found {
            Some(at) => self.simplify(*at as usize, env)?,
            None => self.create(hash, env)?,
        };
        let count = self.plan.fields.len();
        let mut grown = 0;
        let states = self.states[group * count..].iter_mut();
        for ((_, plan), state) in self.plan.fields.iter().zip(states) {
            grown += state.add(plan, env)?;
        }
        if grown > 0 {
            self.held.add(world.shared, self.place, grown)?;
        }
        Ok(())
    }

    /// Replaces the group's id by that of the row if it is simpler. Returns the group.
    #[inline]
    fn simplify(&mut self, at: usize, env: Env<'_>) -> Result<usize> {
        let entry = &mut self.groups[at];
        if !entry.is_simplest {
            let id = self.plan.key.id(env)?;
            if id.is_simpler_than(&entry.id) {
                (entry.is_simplest, entry.id) = (id.is_simplest(), id);
            }
        }
        Ok(at)
    }

    #[cold]
    fn create(&mut self, hash: u64, env: Env<'_>) -> Result<usize> {
        let at = self.groups.len();
        let id = self.plan.key.id(env)?;
        let states = self.plan.fields.len() * size_of::<State>();
        let own = size_of::<Entry>() + size_of::<u32>() * 2 + self.key.len();
        let bytes = own + states + Measure::of(&id).bytes;
        self.held.add(env.world.shared, self.place, bytes)?;
        let number = u32::try_from(at).expect("memory is bounded far below four billion groups");
        let is_simplest = id.is_simplest();
        self.groups.push(Entry { key: self.key.as_slice().into(), id, is_simplest });
        self.states.extend(self.plan.fields.iter().map(|(_, plan)| State::new(&plan.kind)));
        let (groups, hasher) = (&self.groups, &self.hasher);
        self.table.insert_unique(hash, number, |at| hasher.hash_one(&*groups[*at as usize].key));
        Ok(at)
    }

    /// Passes the groups to `next`, in order.
    pub(super) fn drain(
        &mut self,
        shared: &Shared<'_>,
        mut next: impl FnMut(Row<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.table = HashTable::new();
        for at in self.order() {
            shared.step()?;
            let object = self.take(at as usize);
            if next(Row::Object(object))?.is_break() {
                break;
            }
        }
        self.groups.clear();
        self.states.clear();
        self.held.clear(shared);
        Ok(())
    }

    /// The groups' numbers, in order.
    fn order(&self) -> Vec<u32> {
        let groups = &self.groups;
        let entry = |at: &u32| &groups[*at as usize];
        let mut order: Vec<u32> = (0..groups.len() as u32).collect();
        match self.plan.key {
            // Encoded keys of several parts are distinct for distinct ids, but do not sort
            // as objects do.
            GroupKey::Object(_) => order.sort_by(|a, b| entry(a).id.cmp(&entry(b).id)),
            _ => order.sort_unstable_by(|a, b| entry(a).key.cmp(&entry(b).key)),
        }
        if self.plan.order == Order::Largest {
            let count = self.plan.fields.len();
            order.sort_by_key(|at| match self.states.get(*at as usize * count) {
                Some(State::Sum(sum)) => Reverse(sum.into_value()),
                _ => Reverse(Value::Null),
            });
        }
        order
    }

    /// Returns a group as an object, and takes its states.
    fn take(&mut self, at: usize) -> Object {
        let fields = &self.plan.fields;
        let states = &mut self.states[at * fields.len()..][..fields.len()];
        let values = fields.iter().zip(states).map(|((name, plan), state)| {
            let state = std::mem::replace(state, State::Count(0));
            (name.as_str(), state.into_value(&plan.kind))
        });
        let id = std::mem::take(&mut self.groups[at].id);
        std::iter::once((ID, id)).chain(values).collect()
    }
}
