//! Pointers that carry 16 bits of their own in the bits that addresses do not use.
//!
//! User space addresses fit in 48 bits on every platform that the engine runs on; [`pack`] checks
//! it, so that on a platform where they do not, it fails at once instead of losing bits.

const _: () = assert!(usize::BITS == 64, "the memory engine needs addresses of 64 bits");

/// How far the tag is shifted.
const TAG_SHIFT: u32 = usize::BITS - 16;
const ADDRESS_MASK: usize = (1 << TAG_SHIFT) - 1;

/// `pointer` with `tag` in its upper bits. Only [`unpack`] makes it usable again.
#[inline]
pub(super) fn pack<T>(pointer: *mut T, tag: u16) -> *mut T {
    assert!(pointer.addr() & !ADDRESS_MASK == 0, "an address has more than 48 bits");
    pointer.map_addr(|address| address | usize::from(tag) << TAG_SHIFT)
}

/// The pointer and the tag of a packed one.
#[inline]
pub(super) fn unpack<T>(packed: *mut T) -> (*mut T, u16) {
    let pointer = packed.map_addr(|address| address & ADDRESS_MASK);
    (pointer, (packed.addr() >> TAG_SHIFT) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_pointers_come_back() {
        let mut value = 7_u64;
        let pointer = &raw mut value;
        for tag in [0, 1, 0x8000, u16::MAX] {
            assert_eq!(unpack(pack(pointer, tag)), (pointer, tag));
        }
        assert_eq!(unpack(std::ptr::null_mut::<u64>()).1, 0);
    }
}
