import Foundation
import Testing
import TrstctlTestSupport

/// What becomes of tests that lack something: a line of `scripts/test`, and with CI=true a failure.
@Suite("Tests that lack something", .ownThreads)
struct MissingToolTests {
    /// A part of `scripts/test` with what comes before it made up.
    ///
    /// - Parameters:
    ///   - range: two patterns of sed(1).
    ///   - prelude: commands before it.
    ///   - after: commands behind it.
    ///   - environment: as `RunningCommand` has it.
    /// - Returns: how it ended.
    /// - Throws: when bash cannot be started.
    private func script(
        _ range: String, after prelude: String, before after: String = "", _ environment: [String] = []
    ) async throws -> TrstctlCommand.Outcome {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../scripts/test").standardized.path
        let scratch = try ScratchDirectory()
        let text = "\(prelude)\nsource <(sed -n '\(range)p' '\(path)')\n\(after)\n"
        return try await RunningCommand(
            "/bin/bash", ["bash", "-uo", "pipefail", "-c", text], home: scratch.path, environment: environment
        ).outcome()
    }

    @Test("What a machine cannot test fails the whole only in continuous integration")
    func untested() async throws {
        let end = "/^# --- What came of it/,$"
        let prelude = "heading() { :; }; began=0; closing=''; failed=(); skipped=('1 test, x: y'); untested=("
        for (untested, environment, code) in [
            ("", ["CI=true"], 0), ("root", [], 0), ("root", ["CI=false"], 0), ("root", ["CI=true"], 1),
        ] as [(String, [String], Int32)] {
            let outcome = try await script(end, after: prelude + untested + ")", environment)
            #expect(outcome.code == code, "\(untested) \(environment) \(outcome)")
            #expect(outcome.output.contains("SKIPPED: 1 test, x: y\n"), "\(outcome)")
            #expect(outcome.output.contains("everything held") == (code == 0), "\(outcome)")
        }
        let failed = try await script(end, after: prelude.replacing("failed=()", with: "failed=(tests)") + ")")
        #expect(failed.code == 1 && failed.output.contains("FAILED: tests\n"), "\(failed)")
    }

    @Test("Each reason for which tests were skipped is a line")
    func skipped() async throws {
        let scratch = try ScratchDirectory()
        try scratch.write(
            """
            ✔ Test "A" passed after 0.1 seconds.
            ➜ Test "B" skipped: "needs root"
            ➜ Test "C" skipped: "needs nginx"
            ➜ Test "D" skipped: "needs root"
            ➜ Test e() skipped.
            """, to: "log")
        let outcome = try await script(
            "/^note_skipped() {/,/^}/", after: "skipped=()",
            before: "note_skipped '\(scratch.file("log"))'; printf '%s\\n' \"${#skipped[@]}\"")
        let lines = outcome.output.split(separator: "\n").map { $0.replacing("--- SKIPPED: ", with: "") }
        #expect(
            lines == [
                "1 test, it says no reason: e()", "1 test, needs nginx: \"C\"", "2 tests, needs root: \"B\" and others",
                "3",
            ], "\(outcome)")
    }

    @Test("In continuous integration what is not installed counts as there, so that its test fails")
    func expected() {
        let before = ProcessInfo.processInfo.environment["CI"]
        defer { if let before { setenv("CI", before, 1) } else { unsetenv("CI") } }
        setenv("CI", "true", 1)
        #expect(Tool.isExpected("no-such-program"))
        setenv("CI", "1", 1)
        #expect(!Tool.isExpected("no-such-program"))
        unsetenv("CI")
        #expect(!Tool.isExpected("no-such-program"))
        #expect(Tool.isExpected("sh"))
    }
}
