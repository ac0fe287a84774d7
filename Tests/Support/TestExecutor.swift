import Dispatch
package import Testing

/// Threads of their own for tests with deadlines.
///
/// Swift's pool has as many threads as the machine has cores, and tests that block keep them busy for minutes: a
/// connector that waits for its host would give up meanwhile.
package final class TestExecutor: TaskExecutor {
    static let shared = TestExecutor()
    private let queue = DispatchQueue(label: "tests", attributes: .concurrent)

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs every test of a suite on `TestExecutor`.
package struct OwnThreads: TestTrait, SuiteTrait, TestScoping {
    package let isRecursive = true

    @concurrent package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(TestExecutor.shared) { try await function() }
    }
}

extension Trait where Self == OwnThreads {
    /// The suite's tests do not wait for tests that block.
    package static var ownThreads: OwnThreads { OwnThreads() }
}
