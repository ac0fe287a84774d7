import Foundation
import Glibc
import Testing
import TrstctlSystem

/// What a connector must not touch: files with all that belongs to them, listeners and daemons of every kind, shared
/// memory, the limits and the priority of the host.
package final class Canaries {
    private let directory: ScratchDirectory
    private let file: String
    private let hidden: String
    private let stream: LocalSocket
    private let datagram: LocalSocket
    private let abstract: LocalSocket
    private let tcp: LocalSocket
    private let udp: LocalSocket
    private let shared: Int32

    /// - Throws: when something cannot be made.
    package init() throws {
        directory = try ScratchDirectory()
        // Everybody may write here, so that only the sandbox stands in the way.
        try #require(chmod(directory.path, 0o777) == 0)
        file = try directory.write("untouched", to: "canary", mode: 0o666)
        try #require(mkdir(directory.file("private"), 0o700) == 0)
        hidden = try directory.write("private", to: "private/file")
        stream = try LocalSocket.unix(directory.file("stream"), Int32(SOCK_STREAM.rawValue))
        datagram = try LocalSocket.unix(directory.file("datagram"), Int32(SOCK_DGRAM.rawValue))
        abstract = try LocalSocket.unix(
            "\0trstctl-test-\(UInt64.random(in: .min ... .max))", Int32(SOCK_STREAM.rawValue))
        tcp = try LocalSocket.loopback(Int32(SOCK_STREAM.rawValue))
        udp = try LocalSocket.loopback(Int32(SOCK_DGRAM.rawValue))
        shared = shmget(0, 4096, 0o1000 | 0o666)
        try #require(shared != -1)
    }

    deinit { shmctl(shared, 0, nil) }

    /// What `Tests/Fixtures/Confinement/attempts.h` is told of them, `NAME=value` without blanks.
    package var environment: [String] {
        let spaces = ["net", "ipc", "uts", "cgroup", "mnt"].map { name in
            "NS_\(name)="
                + ((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(name)")) ?? "")
        }
        return spaces + [
            "CANARY=" + file, "PRIVATE=" + hidden, "LISTENER=" + stream.name, "DATAGRAM=" + datagram.name,
            "ABSTRACT=" + abstract.name.dropFirst(), "TCP=\(tcp.port)", "UDP=\(udp.port)", "SHM=\(shared)",
            "HOST=\(getpid())", "HOST_ENVIRON=/proc/\(getpid())/environ",
            "HOST_STATUS=/proc/\(getpid())/status", "GROUP=trstctl-\(getpid())",
            "HOSTNAME=" + Canaries.hostName,
        ]
    }

    private static var hostName: String {
        (try? String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8))?
            .trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    }

    /// Everything about them that a connector could change, in one text; the time of change covers extended attributes.
    package func state() throws -> String {
        var status = stat()
        try #require(stat(file, &status) == 0)
        let content = try String(contentsOfFile: file, encoding: .utf8)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var segment = shmid_ds()
        shmctl(shared, 2, &segment)
        return """
            file: \(content) mode \(status.st_mode) owner \(status.st_uid):\(status.st_gid) size \(status.st_size) \
            modified \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) changed \(status.st_ctim.tv_sec).\
            \(status.st_ctim.tv_nsec) links \(status.st_nlink)
            arrivals: stream \(stream.arrivals()) datagram \(datagram.arrivals()) abstract \(abstract.arrivals()) \
            tcp \(tcp.arrivals()) udp \(udp.arrivals())
            host: descriptors \(limit.rlim_cur)/\(limit.rlim_max) \
            priority \(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)) name \(Canaries.hostName) \
            shared memory attached at \(segment.shm_atime)
            """
    }
}

/// A socket that waits for somebody to come.
final class LocalSocket {
    let name: String
    private let descriptor: OwnedDescriptor
    private let isStream: Bool

    private init(_ descriptor: Int32, _ name: String, isStream: Bool) {
        self.descriptor = OwnedDescriptor(descriptor)
        self.name = name
        self.isStream = isStream
    }

    static func unix(_ path: String, _ type: Int32) throws -> LocalSocket {
        let number = socket(AF_UNIX, type | 0o4000 | 0o2000000, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8).prefix(107)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let isAbstract = bytes.first == 0
        let size = isAbstract ? MemoryLayout<sa_family_t>.size + bytes.count : MemoryLayout<sockaddr_un>.size
        let bound = withUnsafeBytes(of: &address) { raw in
            raw.baseAddress.map { bind(number, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(size)) }
        }
        try #require(bound == 0)
        let isStream = type == Int32(SOCK_STREAM.rawValue)
        if isStream { try #require(listen(number, 4) == 0) }
        if !isAbstract { try #require(chmod(path, 0o777) == 0) }
        return LocalSocket(number, path, isStream: isStream)
    }

    static func loopback(_ type: Int32) throws -> LocalSocket {
        let number = socket(AF_INET, type | 0o4000 | 0o2000000, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let bound = withUnsafeBytes(of: &address) { raw in
            raw.baseAddress.map { bind(number, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count)) }
        }
        try #require(bound == 0)
        let isStream = type == Int32(SOCK_STREAM.rawValue)
        if isStream { try #require(listen(number, 4) == 0) }
        return LocalSocket(number, "loopback", isStream: isStream)
    }

    /// The port of a loopback socket.
    var port: UInt16 {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let number = descriptor.raw
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(number, $0, &size) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// How many connections or datagrams have come since the last time it was asked.
    func arrivals() -> Int {
        var count = 0
        while true {
            var byte: UInt8 = 0
            let result = isStream ? Int(accept(descriptor.raw, nil, nil)) : recv(descriptor.raw, &byte, 1, 0)
            guard result >= 0 else { return count }
            count += 1
            if isStream { close(Int32(result)) }
        }
    }
}
