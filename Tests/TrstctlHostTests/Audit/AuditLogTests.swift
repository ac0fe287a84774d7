import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlSystem
import TrstctlTestSupport

@testable import TrstctlHost

@Suite("The audit log")
struct AuditLogTests {
    private let scratch: ScratchDirectory
    private var path: String { scratch.file(AuditLog.name) }

    init() throws {
        scratch = try ScratchDirectory()
    }

    private func record(_ run: String = "r", _ object: String = "o") -> AuditRecord {
        var record = AuditRecord(.call, run: run, connector: "echo", outcome: "allowed")
        record.object = object
        return record
    }

    private func read(_ query: AuditQuery = AuditQuery()) throws -> AuditResult {
        var scan = AuditScan(query)
        for file in try AuditReader.open(scratch.path) { scan.add(try file.content()) }
        return scan.result
    }

    @Test(
        "A log that somebody else could have changed is refused, and not written to",
        arguments: ["link", "hard-link", "directory", "fifo", "writable", "readable"])
    func foreign(_ kind: String) throws {
        let other = scratch.file("other")
        try "before".write(toFile: other, atomically: false, encoding: .utf8)
        try #require(chmod(other, 0o600) == 0)
        switch kind {
        case "link": try #require(symlink(other, path) == 0)
        case "hard-link": try #require(link(other, path) == 0)
        case "directory": try #require(mkdir(path, 0o700) == 0)
        case "fifo": try #require(mkfifo(path, 0o600) == 0)
        default:
            try #require(rename(other, path) == 0)
            try #require(chmod(path, kind == "writable" ? 0o620 : 0o604) == 0)
        }
        #expect(throws: StateError.self) { _ = try AuditLog(directory: scratch.path) }
        guard ["link", "hard-link", "writable", "readable"].contains(kind) else { return }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "before")
    }

    @Test func `A new log is for its owner only`() throws {
        _ = try AuditLog(directory: scratch.path)
        var status = stat()
        try #require(lstat(path, &status) == 0)
        #expect(status.st_mode == S_IFREG | 0o600)
    }

    @Test func `A line that a killed host left without an end swallows no other`() throws {
        try "{\"time\":\"2026".write(toFile: path, atomically: false, encoding: .utf8)
        try #require(chmod(path, 0o600) == 0)
        let log = try AuditLog(directory: scratch.path)
        #expect(log.write(record("r", "first")))
        let result = try read()
        #expect(result.records.map(\.object) == ["first"] && result.damagedLines == 1)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2)
    }

    @Test func `A write that comes to an end too early is finished, or its line ended by the next`() throws {
        let room = Mutex(10)
        var calls = AuditFile.Calls()
        // Five bytes at a time, until the disk is full.
        calls.write = { descriptor, bytes in
            let count = room.withLock { room in
                defer { room -= min(room, 5) }
                return min(room, 5, bytes.count)
            }
            guard count > 0 else {
                errno = ENOSPC
                return -1
            }
            return write(descriptor, bytes.baseAddress, count)
        }
        let log = try AuditLog(directory: scratch.path, calls: calls)
        #expect(!log.write(record("r", "lost")))
        #expect(log.isIncomplete && log.cannotRecord("x").description.contains("No space left"))
        room.withLock { $0 = 100_000 }
        #expect(log.write(record("r", "whole")))
        let result = try read()
        #expect(result.records.map(\.object) == ["whole"] && result.damagedLines == 1)
        #expect(log.finish()?.description.contains("No space left") == true)
    }

    @Test func `What another process wrote behind half a line is found, and nothing else is taken for a record`() throws
    {
        let log = try AuditLog(directory: scratch.path)
        log.write(
            record("r", "{\"connector\":\"forged\",\"event\":\"call\",\"outcome\":\"x\",\"run\":\"r\",\"time\":\"t\"}"))
        let line = try String(contentsOfFile: path, encoding: .utf8)
        var scan = AuditScan(AuditQuery())
        scan.add(Array(("{\"connector\":\"half" + line).utf8))
        #expect(scan.result.records == [try #require(try read().records.first)] && scan.result.damagedLines == 1)
        // A record that is cut in its forged object is no record.
        var cut = AuditScan(AuditQuery())
        cut.add(Array(line.dropLast(40).utf8))
        #expect(cut.result.records.isEmpty && cut.result.damagedLines == 1)
    }

    @Test func `Every file that is moved aside was made durable, and so was its name`() throws {
        let synced = Mutex<[ino_t]>([])
        var calls = AuditFile.Calls()
        calls.sync = { descriptor in
            var status = stat()
            guard fstat(descriptor, &status) == 0 else { return -1 }
            synced.withLock { $0.append(status.st_ino) }
            return fsync(descriptor)
        }
        let log = try AuditLog(directory: scratch.path, limit: 1_000, calls: calls)
        for index in 0..<60 { #expect(log.write(record("r", "\(index)"))) }
        #expect(log.finish() == nil)
        let files = (1...AuditLog.olderFiles).map { "\(path).\($0)" } + [path]
        for file in files + [scratch.path] {
            var status = stat()
            try #require(lstat(file, &status) == 0, "\(file)")
            #expect(synced.withLock { $0.contains(status.st_ino) }, "\(file)")
            if file != scratch.path { #expect(status.st_size <= 1_500 && status.st_mode == S_IFREG | 0o600) }
        }
        #expect(access("\(path).\(AuditLog.olderFiles + 1)", F_OK) == -1)
        let objects = try read().records.compactMap { $0.object.flatMap { Int($0) } }
        #expect(objects == Array((60 - objects.count)..<60) && objects.count > 20)
    }

    @Test func `A file that cannot be moved aside is an error, not a log without bound`() throws {
        _ = try scratch.makeDirectory("\(AuditLog.name).4")
        let log = try AuditLog(directory: scratch.path, limit: 200)
        for index in 0..<20 { log.write(record("r", "\(index)")) }
        #expect(log.isIncomplete)
        #expect(log.finish() != nil)
        #expect(throws: StateError.self) { _ = try AuditLog(directory: scratch.path, limit: 200) }
    }

    @Test func `A disk that does not take the lines is reported, and the first reason counts`() throws {
        var calls = AuditFile.Calls()
        calls.sync = { _ in
            errno = EIO
            return -1
        }
        let log = try AuditLog(directory: scratch.path, calls: calls)
        #expect(log.write(record()) && !log.isIncomplete)
        #expect(log.finish()?.description.contains("Input/output error") == true)
    }

    @Test(
        "No text can forge a line, move a cursor, turn text around or fill the log",
        arguments: ["\u{1B}[2J", "a\r\nb", "\u{2028}", "\u{202E}", "\u{9B}2J", "\u{0}", "\u{FEFF}"])
    func forged(_ text: String) throws {
        let log = try AuditLog(directory: scratch.path)
        var record = record("r", text)
        (record.outcome, record.reason, record.grant, record.operation) = (text, text, text, text)
        log.write(record)
        record.object = String(repeating: text, count: 100_000)
        log.write(record)
        let bytes = Array(try Data(contentsOf: URL(filePath: path)))
        #expect(bytes.count { $0 == 0x0A } == 2 && bytes.count < 200_000)
        #expect(bytes.allSatisfy { $0 == 0x0A || $0 >= 0x20 })
        for shown in try read().records.flatMap({ [$0.object, $0.reason, $0.grant, $0.operation, $0.outcome] }) {
            let harmful = try #require(shown).unicodeScalars.filter { $0 != "\n" }.contains {
                [.control, .format, .lineSeparator, .paragraphSeparator].contains($0.properties.generalCategory)
            }
            #expect(!harmful)
        }
        #expect(try read().records.last?.object?.contains("bytes)") == true)
    }

    @Test func `What stands in an edited log is made safe when it is shown`() throws {
        let line =
            "{\"connector\":\"\\u001b[2J\",\"event\":\"call\",\"outcome\":\"\\u202e\",\"run\":\"\\u001b\",\"time\":\"t\"}\n"
        var scan = AuditScan(AuditQuery())
        scan.add(Array(line.utf8) + Array("{\"\u{FF}".utf8) + [0xFF, 0x0A])
        let record = try #require(scan.result.records.first)
        #expect(record.connector == "\\x{1b}[2J" && record.outcome == "\\x{202e}" && record.run == "\\x{1b}")
        #expect(scan.result.damagedLines == 1)
    }

    private final class End: Sendable {
        let isReached = Mutex(false)
    }

    @Test func `A reader for whom the log has no file at the beginning and at the end misses none in between`() throws {
        let path = "\(scratch.path)/\(AuditLog.name)"
        try scratch.write("a", to: "\(AuditLog.name).2")
        try scratch.write("b", to: "\(AuditLog.name).1")
        var isMoved = false
        let files = try AuditReader.open(scratch.path) { name in
            guard name == "\(path).1", !isMoved else { return }
            isMoved = true
            rename("\(path).2", "\(path).3")
            rename("\(path).1", "\(path).2")
            #expect(FileManager.default.createFile(atPath: "\(path).1", contents: Data("c".utf8)))
        }
        #expect(try files.map { try String(decoding: $0.content(), as: UTF8.self) } == ["a", "b", "c"])
    }

    @Test func `A reader that meets a rotation sees every line once`() async throws {
        var calls = AuditFile.Calls()
        calls.sync = { _ in 0 }
        // Every few lines another file.
        let log = try AuditLog(directory: scratch.path, limit: 1_000, calls: calls)
        let end = End()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { @Sendable in
                var index = 0
                while !end.isReached.withLock(\.self) {
                    var record = AuditRecord(.call, run: "r", connector: "echo", outcome: "allowed")
                    record.object = "\(index)"
                    log.write(record)
                    index += 1
                }
            }
            defer { end.isReached.withLock { $0 = true } }
            var newest = -1
            for _ in 0..<1_000 {
                let objects = try read().records.compactMap { $0.object.flatMap { Int($0) } }
                guard let first = objects.first, let last = objects.last else { continue }
                try #require(objects.elementsEqual(first...last), "\(objects)")
                try #require(last >= newest)
                newest = last
            }
        }
        #expect(!log.isIncomplete)
    }
}
