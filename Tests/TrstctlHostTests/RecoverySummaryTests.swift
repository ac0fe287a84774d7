import Testing

@testable import TrstctlHost

@Suite("What a recovery says")
struct RecoverySummaryTests {
    @Test("One file is one file")
    func counts() {
        var report = RecoveryReport(run: "r", target: "t", connector: "c", .rolledBack)
        report.restored = ["/a"]
        #expect(report.summary.hasSuffix("; 1 file was put back"))
        report.restored.append("/b")
        #expect(report.summary.hasSuffix("; 2 files were put back"))
        report.outcome = .changedMeanwhile
        (report.foreign, report.setAside) = (["/a"], ["/b"])
        #expect(report.summary.contains("1 of its files was changed by somebody since, and stays"))
        #expect(report.summary.contains("1 file that somebody changed since was set aside"))
    }
}
