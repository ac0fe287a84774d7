import Foundation
import Glibc
import Testing
import TrstctlTestSupport

/// A disk of its own beneath a directory, with ext4 on it, that can lose everything which was not synchronised.
///
/// A file behind a loop device. The file system is cut off from it in the middle of a run (`FAULTS_DO=lose` in faults.c),
/// and mounted again: what then is there is what a machine that lost power finds. The cache of a real disk is not part of
/// it.
final class LossyDisk {
    /// What lies on the disk, and how.
    enum Kind: Sendable, CaseIterable {
        /// Everything.
        case everything
        /// Everything, on a file system without a journal of its own, which is checked before it is mounted again.
        case everythingUnjournaled
        /// The live files only: of the state nothing is lost, so that no synchronisation of the one helps the other.
        case live
    }

    private let kind: Kind
    private let scratch: ScratchDirectory
    /// Where it is mounted.
    let directory: String
    private var isMounted = false

    /// Puts a disk beneath a directory, with what is in it.
    ///
    /// - Parameters:
    ///   - site: its directory.
    ///   - kind: what of it, and how.
    /// - Throws: when this machine does not let a disk be made and mounted.
    init(beneath site: ScratchDirectory, _ kind: Kind) throws {
        self.kind = kind
        directory = kind == .live ? site.file("live") : site.path
        scratch = try ScratchDirectory()
        let features = kind == .everythingUnjournaled ? "^has_journal" : "has_journal"
        try LossyDisk.tool("truncate", "-s", "64M", image)
        try LossyDisk.tool("mkfs.ext4", "-q", "-F", "-O", features, image)
        let first = try scratch.makeDirectory("first")
        try LossyDisk.tool("mount", "-o", "loop", image, first)
        do {
            try LossyDisk.tool("cp", "-a", directory + "/.", first)
        } catch {
            try? LossyDisk.tool("umount", first)
            throw error
        }
        try LossyDisk.tool("umount", first)
        try mount()
    }

    deinit {
        if isMounted { try? LossyDisk.tool("umount", directory) }
    }

    /// Whether this machine lets a disk be made.
    static let isUsable: Bool = {
        guard geteuid() == 0, let scratch = try? ScratchDirectory() else { return false }
        return (try? LossyDisk(beneath: scratch, .everything)) != nil
    }()

    private var image: String { scratch.file("disk") }

    /// Makes everything durable that is there.
    func synchronise() throws { try LossyDisk.tool("sync", "-f", directory) }

    /// Loses power now.
    func losePower() throws {
        let file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        var how: UInt32 = 2
        // EXT4_IOC_SHUTDOWN, see faults.c.
        try #require(ioctl(file, 0x8004_587d, &how) == 0)
    }

    /// Comes back after a power loss.
    func restart() throws {
        // A connector that outlives its host for a moment keeps the mount, and its own view of it keeps the device.
        try wait { (try? LossyDisk.tool("umount", directory)) != nil }
        isMounted = false
        try wait { !isInUse }
        if kind == .everythingUnjournaled { try LossyDisk.tool("e2fsck", "-fy", image, ending: [0, 1]) }
        try mount()
    }

    /// Looks again and again, for at most a minute.
    private func wait(until condition: () -> Bool) throws {
        for _ in 0..<6_000 {
            if condition() { return }
            poll(nil, 0, 10)
        }
        Issue.record("\(directory) is still in use")
        throw CancellationError()
    }

    private func mount() throws {
        // Without the latter ext4 writes what a renamed file holds by itself; nothing may rely on that (ext4(5)).
        try LossyDisk.tool("mount", "-o", "loop,noauto_da_alloc", image, directory)
        isMounted = true
        rmdir(directory + "/lost+found")
    }

    /// Whether a loop device still stands before the file.
    private var isInUse: Bool {
        let blocks = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/block")) ?? []
        return blocks.contains { name in
            let file = try? String(contentsOfFile: "/sys/block/\(name)/loop/backing_file", encoding: .utf8)
            return file?.trimmingCharacters(in: .newlines) == image
        }
    }

    private static func tool(_ name: String, _ words: String..., ending: Set<Int32> = [0]) throws {
        let path = try #require(Tool.path(name), "\(name) is missing")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = words
        (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        try process.run()
        process.waitUntilExit()
        try #require(ending.contains(process.terminationStatus), "\(name) \(words)")
    }
}
