import Testing
import TrstctlTestSupport

/// The machine loses power before each system call of the write path: what was not synchronised is gone, and when it is
/// back, a recovery ends with the old pair or the new pair.
///
/// By default it happens at every third call, of the journaled file system with plain files at each;
/// `TRSTCTL_SOAK_CRASH` has it happen at all of them.
@Suite(
    "Power loss", .ownThreads,
    .enabled(if: LossyDisk.isUsable, "needs root, loop devices, and mount and mkfs.ext4 for them"))
struct PowerLossTests {
    private static let isFull = soakCount("CRASH", short: 0) > 0

    /// A site on such a disk, and nothing of the site is written before it must be.
    private func site(_ layout: FaultSite.Layout, _ kind: LossyDisk.Kind) async throws -> (FaultSite, LossyDisk) {
        var site = try await FaultSite(layout: layout)
        let disk = try LossyDisk(beneath: site.site.command.scratch, kind)
        site.disk = disk
        site.lack = "hint"
        return (site, disk)
    }

    @Test(
        "A machine that loses power at any system call of the write path comes back with one of the pairs",
        arguments: FaultSite.Layout.allCases, LossyDisk.Kind.allCases)
    func anywhere(_ layout: FaultSite.Layout, _ kind: LossyDisk.Kind) async throws {
        let (site, disk) = try await site(layout, kind)
        try site.reset()
        let calls = try await site.calls(["apply"])
        let first = try #require(calls.firstIndex { !$0.hasPrefix("open ") })
        let step = PowerLossTests.isFull || (layout == .plain && kind == .everything) ? 1 : 3
        var count = 0
        for index in stride(from: PowerLossTests.isFull ? 0 : first, to: calls.count, by: step) {
            let fault = Fault(call: index + 1, name: calls[index], action: .losePower)
            try site.reset()
            try disk.synchronise()
            let outcome = try await site.run(["apply"], fault)
            #expect(outcome.code == -1, "\(fault): was not killed: \(outcome)")
            try disk.restart()
            _ = try await site.settle(fault)
            count += 1
        }
        #expect(count > 10)
    }

    @Test(
        "What an apply has reported is there when the power is lost then", arguments: FaultSite.Layout.allCases,
        LossyDisk.Kind.allCases)
    func reported(_ layout: FaultSite.Layout, _ kind: LossyDisk.Kind) async throws {
        let (site, disk) = try await site(layout, kind)
        try site.reset()
        try disk.synchronise()
        let outcome = try await site.run(["apply"], nil)
        #expect(outcome.code == 0, "\(outcome)")
        try disk.losePower()
        try disk.restart()
        #expect(try site.live() == site.new)
        #expect(try await site.settle(Fault(call: 0, name: "the end", action: .losePower)) == "new")
    }
}
