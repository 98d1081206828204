//! Natural numbers of any size, with the few operations that comparing numbers exactly needs. Nothing
//! here is fast beyond a few hundred bits.

use std::cmp::Ordering;

use smallvec::SmallVec;

/// A natural number: digits of 64 bits, the lowest first, without zeros at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Natural(SmallVec<[u64; 8]>);

impl From<u128> for Natural {
    fn from(value: u128) -> Self {
        let mut natural = Self(SmallVec::from_slice(&[value as u64, (value >> 64) as u64]));
        natural.trim();
        natural
    }
}

impl Natural {
    /// `base^exponent`, of a base from 2 on.
    pub(crate) fn power(base: u64, exponent: u32) -> Self {
        // As much of the power as fits one digit, at once.
        let at_once = u64::MAX.ilog(base);
        let mut power = Self::from(1);
        (0..exponent / at_once).for_each(|_| power.multiply(base.pow(at_once)));
        power.multiply(base.pow(exponent % at_once));
        power
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn bits(&self) -> u32 {
        let top = self.0.last().map_or(0, |digit| 64 - digit.leading_zeros());
        (self.0.len() as u32).saturating_sub(1) * 64 + top
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0;
        for digit in &mut self.0 {
            let product = u128::from(*digit) * u128::from(factor) + carry;
            *digit = product as u64;
            carry = product >> 64;
        }
        self.0.push(carry as u64);
        self.trim();
    }

    /// Multiplied by `base^exponent`.
    pub(crate) fn times_power(mut self, base: u64, exponent: u32) -> Self {
        let at_once = u64::MAX.ilog(base);
        (0..exponent / at_once).for_each(|_| self.multiply(base.pow(at_once)));
        self.multiply(base.pow(exponent % at_once));
        self
    }

    /// Multiplied by `2^bits`.
    pub(crate) fn shifted(self, bits: u32) -> Self {
        let mut shifted = SmallVec::from_elem(0, (bits / 64) as usize);
        let mut carry = 0;
        for digit in self.0 {
            let wide = u128::from(digit) << (bits % 64) | carry;
            shifted.push(wide as u64);
            carry = wide >> 64;
        }
        shifted.push(carry as u64);
        let mut shifted = Self(shifted);
        shifted.trim();
        shifted
    }

    /// The highest 128 bits, the first of which is 1, and whether there are ones below them. It is not
    /// zero.
    pub(crate) fn top(&self) -> (u128, bool) {
        let digit = |back: usize| {
            let at = self.0.len().checked_sub(back);
            at.and_then(|at| self.0.get(at)).map_or(0, |digit| u128::from(*digit))
        };
        let (high, next) = (digit(1) << 64 | digit(2), digit(3));
        let zeros = high.leading_zeros();
        let top = high << zeros | (next << zeros) >> 64;
        let below = (next << zeros) as u64 != 0;
        let deeper = self.0.iter().rev().skip(3).any(|digit| *digit != 0);
        (top, below || deeper)
    }

    /// Quotient and remainder of a division whose quotient has at most 128 bits.
    pub(crate) fn divided_by(self, divisor: &Self) -> (u128, Self) {
        if let [divisor] = divisor.0[..] {
            return self.divided_by_digit(divisor);
        }
        let (mut rest, mut quotient) = (self, 0);
        let mut multiple = divisor.clone().shifted(127);
        for bit in (0..128).rev() {
            if rest.compare(&multiple).is_ge() {
                rest.subtract(&multiple);
                quotient |= 1 << bit;
            }
            multiple.halve();
        }
        (quotient, rest)
    }

    fn divided_by_digit(self, divisor: u64) -> (u128, Self) {
        let (mut rest, mut quotient) = (0, 0);
        for digit in self.0.iter().rev() {
            let part = rest << 64 | u128::from(*digit);
            quotient = (quotient << 64) + part / u128::from(divisor);
            rest = part % u128::from(divisor);
        }
        (quotient, Self::from(rest))
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for digit in self.0.iter_mut().rev() {
            let low = *digit & 1;
            *digit = *digit >> 1 | carry << 63;
            carry = low;
        }
        self.trim();
    }

    /// Subtracts a number that is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (at, digit) in self.0.iter_mut().enumerate() {
            let (less, first) = digit.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u64::from(borrow));
            (*digit, borrow) = (less, first || second);
        }
        self.trim();
    }

    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let lengths = self.0.len().cmp(&other.0.len());
        lengths.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}
