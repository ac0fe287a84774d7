import CTrstctlSystem
import Foundation
import Glibc
import Testing
import TrstctlCrypto
import TrstctlSystem

/// S14, and what content is verified at all.
@Suite("Signature files and sealed content")
struct SignatureFileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test("a file is read whole, up to the limit")
    func read() throws {
        let limit = DetachedSignature.byteLimit
        for size in [0, 1, 64, limit] {
            let content = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            #expect(try SignatureFile.read(Bytes(directory.write(content, to: "s"))) == content)
        }
        expectRefusal(.tooLarge) {
            _ = try SignatureFile.read(Bytes(directory.write([UInt8](repeating: 0, count: limit + 1), to: "s")))
        }
    }

    @Test("a file of 1 GiB is refused without being read")
    func huge() throws {
        let path = try directory.write([], to: "huge")
        try #require(truncate(path, 1 << 30) == 0)
        expectRefusal(.tooLarge) { _ = try SignatureFile.read(Bytes(path)) }
    }

    @Test("a file that has more bytes than its size says is refused as well")
    func growing() throws {
        // Files of proc(5) are regular and say that they have 0 bytes; this one has a line for each of these mappings.
        let (page, count) = (Int(getpagesize()), 3000)
        let start = try #require(mmap(nil, page * count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        try #require(start != MAP_FAILED)
        defer { munmap(start, page * count) }
        for number in stride(from: 0, to: count, by: 2) {
            try #require(mprotect(start + number * page, page, PROT_READ) == 0)
        }
        expectRefusal(.tooLarge) { _ = try SignatureFile.read(Bytes("/proc/self/maps")) }
    }

    @Test("no file is not an error, a path that is none is")
    func missing() throws {
        #expect(try SignatureFile.read(Bytes(directory.file("none"))) == nil)
        expectRefusal(.unreadable) { _ = try SignatureFile.read(Bytes()) }
        let real = try directory.write([1], to: "a")
        expectRefusal(.unreadable) { _ = try SignatureFile.read(Bytes(Array(real.utf8) + [0, 0x62])) }
        expectRefusal(.unreadable) { _ = try SignatureFile.read(Bytes(real + "/below")) }
    }

    @Test("links, FIFOs, directories, devices and sockets are refused, and none is waited for")
    func notRegular() throws {
        let real = try directory.write([1], to: "real")
        try FileManager.default.createSymbolicLink(atPath: directory.file("link"), withDestinationPath: real)
        try FileManager.default.createSymbolicLink(atPath: directory.file("dangling"), withDestinationPath: "nowhere")
        try #require(mkfifo(directory.file("fifo"), 0o600) == 0)
        for path in ["link", "dangling", "fifo"].map(directory.file) + [directory.path, "/dev/null", "/dev/zero"] {
            expectRefusal(.notRegularFile, path) { _ = try SignatureFile.read(Bytes(path)) }
        }
    }

    @Test("content that could still change is not verified")
    func unsealed() throws {
        let file = open(try directory.write([1, 2, 3], to: "file"), O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        expectRefusal(.contentNotSealed) { _ = try SealedContent(descriptor: file) }
        expectRefusal(.contentNotSealed) { _ = try SealedContent(descriptor: -1) }
        // F_ADD_SEALS; SHRINK, GROW, WRITE: any two of them are not enough.
        for seals: Int32 in [0, 2 | 4, 2 | 8, 4 | 8] {
            let memfd = OwnedDescriptor(trstctl_memfd_create("unsealed"))
            try #require(fcntl(memfd.raw, 1033, seals) == 0)
            expectRefusal(.contentNotSealed) { _ = try SealedContent(descriptor: memfd.raw) }
        }
        let memfd = OwnedDescriptor(trstctl_memfd_create("sealed"))
        try #require(fcntl(memfd.raw, 1033, 2 | 4 | 8) == 0)
        #expect(try SealedContent(descriptor: memfd.raw).size == 0)
    }

    @Test("content beyond the limit is refused before anything is calculated")
    func contentSize() throws {
        let memfd = OwnedDescriptor(trstctl_memfd_create("huge"))
        try #require(ftruncate(memfd.raw, off_t(SealedContent.byteLimit + 1)) == 0)
        try #require(trstctl_memfd_seal(memfd.raw) == 0)
        expectRefusal(.contentSize) { _ = try SealedContent(descriptor: memfd.raw) }
    }
}
