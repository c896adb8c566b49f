//! Whether this processor can run what was built.
//!
//! On x86-64 the project is compiled for the level x86-64-v3 (`.cargo/config.toml`), and an older
//! processor would say no more than "illegal instruction". The question goes to the processor
//! itself, by CPUID: `is_x86_feature_detected!` folds to `true` for every feature that the
//! compiler was told to assume.
//!
//! Levels: System V ABI, AMD64 supplement, "Micro-Architecture Levels". Register bits: Intel SDM,
//! volume 2A, CPUID. The operating system's part: volume 1, "Detection of Intel AVX Instructions".

#[cfg(target_arch = "x86_64")]
pub use x86_64::require;

/// For every processor but x86-64 the build assumes no more than the architecture promises.
#[cfg(not(target_arch = "x86_64"))]
#[allow(clippy::unnecessary_wraps, reason = "one signature everywhere")]
pub fn require() -> Result<(), std::convert::Infallible> {
    Ok(())
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::{__cpuid_count, _xgetbv};
    use std::fmt;

    /// Checks that the processor has what the build assumes; the error names what it lacks.
    ///
    /// Call it before anything else: whatever runs earlier may already use a missing instruction.
    pub fn require() -> Result<(), Missing> {
        match Registers::read().missing() {
            Missing(0) => Ok(()),
            missing => Err(missing),
        }
    }

    /// The features that a processor lacks, one bit for each line of [`FEATURES`].
    ///
    /// A single word, since on its way to the user it is handled by code that was compiled for a
    /// better processor: moving a `Vec` or a `String` there takes an AVX instruction.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Missing(u32);

    /// What the processor says of itself.
    #[derive(Clone, Copy)]
    struct Registers {
        /// ECX of leaf 1, EBX of leaf 7, ECX of leaf `0x8000_0001`.
        cpuid: [u32; 3],
        xcr0: u64,
    }

    /// Name, index in [`Registers::cpuid`], bit. Ready masks: a shift would be compiled to BMI2.
    const FEATURES: &[(&str, usize, u32)] = &[
        ("SSE3", 0, 1 << 0),
        ("SSSE3", 0, 1 << 9),
        ("SSE4.1", 0, 1 << 19),
        ("SSE4.2", 0, 1 << 20),
        ("CMPXCHG16B", 0, 1 << 13),
        ("POPCNT", 0, 1 << 23),
        ("LAHF/SAHF", 2, 1 << 0),
        ("AVX", 0, AVX),
        ("AVX2", 1, 1 << 5),
        ("BMI1", 1, 1 << 3),
        ("BMI2", 1, 1 << 8),
        ("F16C", 0, 1 << 29),
        ("FMA", 0, 1 << 12),
        ("LZCNT", 2, 1 << 5),
        ("MOVBE", 0, 1 << 22),
    ];
    const OSXSAVE: u32 = 1 << 27;
    const AVX: u32 = 1 << 28;
    /// XCR0: the operating system keeps the XMM and YMM registers of each thread.
    const XMM_AND_YMM: u64 = 0b110;
    /// Not a bit of CPUID: the processor has AVX, the operating system has not switched it on.
    const AVX_SWITCHED_OFF: u32 = 1 << 31;

    impl Registers {
        fn read() -> Self {
            // Past the last leaf it knows, a processor repeats that leaf rather than answer zero.
            let knows = |leaf: u32| __cpuid_count(leaf & 0x8000_0000, 0).eax >= leaf;
            let mut cpuid = [__cpuid_count(1, 0).ecx, 0, 0];
            if knows(7) {
                cpuid[1] = __cpuid_count(7, 0).ebx;
            }
            if knows(0x8000_0001) {
                cpuid[2] = __cpuid_count(0x8000_0001, 0).ecx;
            }
            let mut xcr0 = 0;
            if cpuid[0] & OSXSAVE != 0 {
                // SAFETY: OSXSAVE says that the operating system has enabled this instruction.
                xcr0 = unsafe { _xgetbv(0) };
            }
            Self { cpuid, xcr0 }
        }

        fn missing(&self) -> Missing {
            let mut missing = 0;
            let mut line = 1;
            for &(_, register, mask) in FEATURES {
                if self.cpuid[register] & mask == 0 {
                    missing |= line;
                }
                line <<= 1;
            }
            if self.cpuid[0] & AVX != 0 && self.xcr0 & XMM_AND_YMM != XMM_AND_YMM {
                missing |= AVX_SWITCHED_OFF;
            }
            Missing(missing)
        }
    }

    impl fmt::Display for Missing {
        fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str(
                "This build of Lorgnette needs a processor with AVX2 (x86-64-v3: Intel Haswell \
                 of 2013, AMD Zen, or newer); this one lacks",
            )?;
            let mut separator = ": ";
            let mut line = 1;
            for &(name, ..) in FEATURES {
                if self.0 & line != 0 {
                    out.write_str(separator)?;
                    out.write_str(name)?;
                    separator = ", ";
                }
                line <<= 1;
            }
            if self.0 & AVX_SWITCHED_OFF != 0 {
                out.write_str(separator)?;
                out.write_str("an operating system that has switched AVX on")?;
            }
            out.write_str(".")
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const COMPLETE: Registers = Registers { cpuid: [u32::MAX; 3], xcr0: u64::MAX };

        /// What the user is told of these registers, behind "this one lacks: ".
        fn told(cpuid: [u32; 3], xcr0: u64) -> String {
            let sentence = Registers { cpuid, xcr0 }.missing().to_string();
            let (_, list) = sentence.split_once("this one lacks: ").unwrap();
            list.into()
        }

        #[test]
        fn a_complete_processor_lacks_nothing() {
            assert_eq!(COMPLETE.missing(), Missing(0));
        }

        #[test]
        fn a_bare_processor_lacks_the_whole_level() {
            assert_eq!(
                told([0; 3], 0),
                "SSE3, SSSE3, SSE4.1, SSE4.2, CMPXCHG16B, POPCNT, LAHF/SAHF, \
                 AVX, AVX2, BMI1, BMI2, F16C, FMA, LZCNT, MOVBE."
            );
        }

        #[test]
        fn each_feature_is_read_from_its_own_bit() {
            // The last Intel generation before the level: Ivy Bridge.
            assert_eq!(
                told([0x7fba_e3ff, 0x0000_0281, 0x0000_0001], 0b111),
                "AVX2, BMI1, BMI2, FMA, LZCNT, MOVBE."
            );
            for &(name, register, mask) in FEATURES {
                let mut cpuid = COMPLETE.cpuid;
                cpuid[register] &= !mask;
                assert_eq!(told(cpuid, u64::MAX), format!("{name}."));
            }
        }

        #[test]
        fn avx_needs_the_operating_system_too() {
            for xcr0 in [0b000, 0b010, 0b100] {
                assert_eq!(
                    told(COMPLETE.cpuid, xcr0),
                    "an operating system that has switched AVX on."
                );
            }
        }
    }
}
