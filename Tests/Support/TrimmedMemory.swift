import Glibc
package import Testing

/// Gives freed memory back to the kernel before a suite that starts hundreds of processes.
///
/// A start copies the page tables of the whole test process (it does not share its memory), so it takes as long as earlier
/// suites left memory behind: 130 ms with 1.9 GB. malloc(3) keeps what was freed.
package struct TrimmedMemory: SuiteTrait, TestScoping {
    package let isRecursive = false

    @concurrent package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        // The C library's module does not have malloc.h.
        if let found = dlsym(nil, "malloc_trim") {
            _ = unsafeBitCast(found, to: (@convention(c) (Int) -> Int32).self)(0)
        }
        try await function()
    }
}

extension Trait where Self == TrimmedMemory {
    /// The suite starts many processes.
    package static var trimmedMemory: TrimmedMemory { TrimmedMemory() }
}
