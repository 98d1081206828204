//! The data and questions of the suite `queries`: orders of a shop, of 8 fields and about 200 bytes
//! of JSON.
//!
//! Of a million orders, 10 are of each customer, about 1,000 of each product, and no two were
//! placed in the same second. A store is filled in the order of the numbers, by which none of these
//! fields is sorted.

use std::ops::Range;

use serde::Serialize;
use velocitydb::{Encoded, Object};

use crate::Result;
use crate::random::Random;

/// Orders of one customer.
const BY_CUSTOMER: u64 = 10;

/// How many products there are.
const PRODUCTS: u64 = 1_000;

/// When the first order was placed, in seconds.
const FIRST_PLACED: u64 = 1_700_000_000;

/// A prime that scatters the numbers.
const SCATTER: u64 = 104_729;

const CITIES: [&str; 4] = ["Stockholm", "Luleå", "Göteborg", "Uppsala"];

const NOTES: [&str; 8] = [
    "leave it at the door",
    "ring twice and wait",
    "a gift, please wrap it",
    "deliver after six",
    "the gate is behind the house",
    "call before you come",
    "no bags, please",
    "fragile, keep it upright",
];

#[derive(Serialize)]
struct Fields {
    number: u64,
    customer: String,
    product: String,
    price: f64,
    placed: u64,
    paid: bool,
    address: Address,
    note: String,
}

#[derive(Serialize)]
struct Address {
    city: String,
    zip: u64,
}

/// An order in each form that a contestant takes it in.
pub struct Order {
    /// The id, like `order-0000012345`.
    pub id: String,
    /// For VelocityDB.
    pub object: Object,
    /// For stores of text.
    pub json: String,
}

/// The orders with the numbers from 0 to a count.
#[derive(Debug, Clone, Copy)]
pub struct Orders {
    count: u64,
}

/// A query of a store. The lines of the answer are described at [`Store::ask`](super::Store::ask).
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// All orders of a customer.
    OfCustomer(String),
    /// All orders of at least a price, which is not indexed.
    Dear(f64),
    /// The number of orders and the sum of the prices, by product.
    ByProduct,
    /// The first 10 orders that were placed between two times, the earliest first.
    PlacedBetween(i64, i64),
    /// The last 10 orders of a product, the last first.
    NewestOfProduct(String),
    /// How many orders of a product there are.
    CountOfProduct(String),
    /// Only product and time of the first 10 orders of a product from a time on.
    TimesOfProduct(String, i64),
}

impl Question {
    /// Whether the lines of the answer have an order.
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Question::OfCustomer(_) | Question::Dear(_) | Question::ByProduct)
    }
}

impl Orders {
    /// Orders that a customer has ten of.
    pub fn new(count: u64) -> Self {
        Orders { count: count.next_multiple_of(BY_CUSTOMER) }
    }

    /// How many there are.
    pub fn count(self) -> u64 {
        self.count
    }

    /// The orders with these numbers.
    pub fn make(self, numbers: Range<u64>) -> Result<Vec<Order>> {
        numbers.map(|number| self.one(number)).collect()
    }

    /// All of them, in batches, so that they need not be in memory together.
    pub fn batches(self, size: u64) -> impl Iterator<Item = Result<Vec<Order>>> {
        let starts = (0..self.count).step_by(size as usize);
        starts.map(move |start| self.make(start..(start + size).min(self.count)))
    }

    fn one(self, number: u64) -> Result<Order> {
        let mut random = Random::new(number);
        let fields = Fields {
            number,
            customer: self.customer(number),
            product: product(random.below(PRODUCTS)),
            price: random.below(100_000) as f64 / 100.0,
            placed: FIRST_PLACED + number * SCATTER % self.count,
            paid: random.below(2) == 0,
            address: Address {
                city: (*random.choose(&CITIES)).to_owned(),
                zip: 10_000 + random.below(89_999),
            },
            note: format!("{}, {}", random.choose(&NOTES), random.choose(&NOTES)),
        };
        let encoded = Encoded::from_serialize(&fields)?;
        let json = serde_json::to_string(&fields)?;
        Ok(Order { id: format!("order-{number:010}"), object: encoded.to_object()?, json })
    }

    fn customer(self, number: u64) -> String {
        format!("customer-{:07}", number * SCATTER % (self.count / BY_CUSTOMER))
    }

    /// Questions of one kind, from a seed.
    pub fn ask(
        self,
        kind: impl Fn(Self, &mut Random) -> Question,
        count: usize,
        seed: u64,
    ) -> Vec<Question> {
        let mut random = Random::new(seed);
        (0..count).map(|_| kind(self, &mut random)).collect()
    }

    /// The orders of some customer.
    pub fn of_customer(self, random: &mut Random) -> Question {
        Question::OfCustomer(self.customer(random.below(self.count)))
    }

    /// About one order in ten thousand.
    pub fn dear(self, random: &mut Random) -> Question {
        Question::Dear(999.9 - random.below(5) as f64 / 100.0)
    }

    /// A period in which a thousand orders were placed.
    pub fn placed_between(self, random: &mut Random) -> Question {
        let start = self.time(random);
        Question::PlacedBetween(start, start + 1_000)
    }

    /// The last orders of some product.
    pub fn newest_of_product(self, random: &mut Random) -> Question {
        Question::NewestOfProduct(product(random.below(PRODUCTS)))
    }

    /// The number of orders of some product.
    pub fn count_of_product(self, random: &mut Random) -> Question {
        Question::CountOfProduct(product(random.below(PRODUCTS)))
    }

    /// The times of the orders of some product, from some time on.
    pub fn times_of_product(self, random: &mut Random) -> Question {
        Question::TimesOfProduct(product(random.below(PRODUCTS)), self.time(random))
    }

    fn time(self, random: &mut Random) -> i64 {
        (FIRST_PLACED + random.below(self.count)) as i64
    }
}

fn product(number: u64) -> String {
    format!("product-{number:03}")
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn orders_have_the_size_and_the_distribution_that_they_claim() {
        let orders = Orders::new(20_000).make(0..20_000).unwrap();
        let (mut customers, mut products, mut times) =
            (HashMap::new(), HashSet::new(), HashSet::new());
        for Order { object, json, .. } in &orders {
            assert_eq!(object.len(), 8);
            assert!((160..240).contains(&json.len()), "{} bytes: {json}", json.len());
            *customers.entry(object["customer"].to_string()).or_insert(0) += 1;
            products.insert(object["product"].to_string());
            times.insert(object["placed"].to_string());
        }
        assert!(customers.values().all(|count| *count == 10));
        assert_eq!((customers.len(), products.len(), times.len()), (2_000, 1_000, 20_000));
        let bytes: usize = orders.iter().map(|order| order.json.len()).sum();
        assert!((190..215).contains(&(bytes / orders.len())), "{} bytes", bytes / orders.len());
    }

    #[test]
    fn batches_are_all_orders() {
        let batches: Vec<usize> =
            Orders::new(25).batches(10).map(|batch| batch.unwrap().len()).collect();
        assert_eq!(batches, [10, 10, 10]);
    }
}
