import Foundation
import Glibc
import Synchronization
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

/// A connector chooses where an output or an answer ends: parts of secrets are recognised, and nothing that is public.
@Suite("Parts of secrets are recognised", .ownThreads)
struct SecretPartTests {
    /// What `openssl req -newkey` takes.
    private static let kinds = ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256", "ed25519"]
    private static let encodings: [Wire.SecretReference.Encoding] = [
        .raw, .base64, .jsonString, .pemPkcs8, .pemSec1, .pemPkcs1, .der, .pkcs12,
    ]
    private static let wrappings: [Wire.SecretReference.Wrapping] = [
        .wrappingNone, .wrappingBase64, .wrappingJsonString,
    ]
    private static let password = "correct horse battery"

    let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func shell(_ script: String) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-ec", script]
        process.currentDirectoryURL = URL(fileURLWithPath: directory.path)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = Pipe()
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(script)")
        return Array(data)
    }

    /// A key and its certificate, in the files `NAME.key` and `NAME.crt`.
    private func source(_ kind: String, traditional: Bool = false, name: String = "a") throws -> SecretSource {
        _ = try shell(
            "openssl req -x509 -newkey \(kind) -nodes -keyout \(name).key -out \(name).crt -subj /CN=www.example.com")
        let key = try shell(
            traditional && kind != "ed25519" ? "openssl pkey -traditional -in \(name).key" : "cat \(name).key")
        return SecretSource(
            [
                (name: "key", bytes: Bytes(key, isSecret: true)),
                (name: "certificate", bytes: Bytes(try shell("cat \(name).crt"))), (name: "chain", bytes: Bytes()),
            ], fields: [(name: "password", bytes: Bytes(Array(Self.password.utf8), isSecret: true))])
    }

    private func isRefused(_ bytes: some Collection<UInt8>, _ source: SecretSource) -> Bool {
        do throws(EffectError) {
            try source.refuseKey(in: Bytes(Array(bytes)), "it")
            return false
        } catch {
            return true
        }
    }

    private func form(
        _ source: SecretSource, _ encoding: Wire.SecretReference.Encoding, _ wrapping: Wire.SecretReference.Wrapping
    ) -> [UInt8]? {
        let reference = Wire.SecretReference(name: "key", encoding: encoding, wrapping: wrapping)
        return try? source.assemble([Wire.Segment(kind: .secret(reference))], limit: 1 << 20, field: "f").array
    }

    /// What a reader of the beginning of a form learns: DER, as much of it as there is.
    private func decoded(
        _ bytes: some Sequence<UInt8>, _ encoding: Wire.SecretReference.Encoding,
        _ wrapping: Wire.SecretReference.Wrapping
    ) -> [UInt8] {
        func base64(_ bytes: [UInt8]) -> [UInt8] {
            let text = bytes.filter { $0 > 0x20 }
            return Data(base64Encoded: Data(text.prefix(text.count / 4 * 4))).map { Array($0) } ?? []
        }
        func json(_ bytes: [UInt8]) -> [UInt8] {
            Array(String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\\n", with: "\n").utf8)
        }
        var bytes = Array(bytes)
        if wrapping == .wrappingBase64 { bytes = base64(bytes) }
        if wrapping == .wrappingJsonString { bytes = json(bytes) }
        if encoding == .base64 { bytes = base64(bytes) }
        if encoding == .jsonString { bytes = json(bytes) }
        guard encoding != .der else { return bytes }
        return base64(Array(bytes.drop { $0 != 0x0A }.prefix { $0 != 0x2D }.filter { $0 != UInt8(ascii: "\\") }))
    }

    @Test(
        "The beginning of a key in any form shows at most eleven bytes of it; longer ones and longer ends are recognised",
        arguments: kinds, [false, true])
    func cuts(_ kind: String, _ traditional: Bool) throws {
        let source = try source(kind, traditional: traditional)
        let parsed = try PrivateKey(blocks: PEM.blocks(in: #require(source.secret(named: "key"))))
        let secret = try #require(parsed.privateParts.first).array
        let step = kind.hasPrefix("rsa") ? 13 : 1
        var count = 0
        for encoding in Self.encodings where encoding != .pkcs12 {
            for wrapping in Self.wrappings {
                guard let form = form(source, encoding, wrapping) else { continue }
                count += 1
                let bare = SecretSource([(name: "key", bytes: try #require(source.secret(named: "key")))])
                // The frame of PEM has its own check, which must not be what is tested.
                func isFound(_ bytes: some Collection<UInt8>) -> Bool { bare.keyForms.occur(in: Bytes(Array(bytes))) }
                let first = try #require((0...form.count).first { isFound(form.prefix($0)) })
                let shown = decoded(form.prefix(first - 1), encoding, wrapping)
                #expect(!shown.indices.contains { shown[$0...].starts(with: secret.prefix(12)) })
                for end in stride(from: first, through: form.count, by: step) { #expect(isFound(form.prefix(end))) }
                let last = try #require((0..<form.count).last { isFound(form[$0...]) })
                for start in stride(from: last, through: 0, by: -step) { #expect(isFound(form[start...])) }
                // Every twelve bytes between the two.
                for start in stride(from: first - 12, through: last, by: step) {
                    #expect(isFound(form[start..<start + 12]), "\(encoding) \(wrapping) at \(start) of \(form.count)")
                }
                #expect(last - first > 5)
            }
        }
        #expect(count >= 14)
    }

    @Test("A PKCS#12 file is recognised whatever its password, which may be a word that everybody knows")
    func protectedArchive() throws {
        let source = try source(Self.kinds[1])
        let plain = try #require(form(source, .pkcs12, .wrappingNone))
        for profile in [Wire.SecretReference.Pkcs12Profile.modern, .legacy3des] {
            for wrapping in [Wire.SecretReference.Wrapping.wrappingNone, .wrappingBase64] {
                let reference = Wire.SecretReference(
                    name: "key", encoding: .pkcs12, pkcs12Profile: profile, passwordName: "password",
                    wrapping: wrapping)
                let file = try source.assemble([Wire.Segment(kind: .secret(reference))], limit: 1 << 20, field: "f")
                #expect(file.array != plain && isRefused(file.array, source))
                #expect(isRefused(file.array.dropLast(), source))
            }
        }
    }

    @Test("The keys of a PKCS#12 file are derived once for each profile, not for each wrapping")
    func derivedOnce() throws {
        let known = try source(Self.kinds[1])
        let asked = Mutex(0)
        let source = SecretSource(names: known.names, fields: known.fields) { name in
            if name == "key" { asked.withLock { $0 += 1 } }
            return known.secret(named: name)
        }
        let files = WrittenForms.archives(with: "", in: source)
        #expect(asked.withLock { $0 } == 2)
        #expect(files.count == 4)
        for wrapping in [Wire.SecretReference.Wrapping.wrappingNone, .wrappingBase64] {
            let file = try #require(form(known, .pkcs12, wrapping))
            #expect(files.contains(Bytes(file)))
        }
    }

    @Test("The beginning of a PKCS#12 file without a password is recognised before any of its key", arguments: kinds)
    func archive(_ kind: String) throws {
        let source = try source(kind)
        for wrapping in [Wire.SecretReference.Wrapping.wrappingNone, .wrappingBase64] {
            let file = try #require(form(source, .pkcs12, wrapping))
            let first = try #require((0...file.count).first { isRefused(file.prefix($0), source) })
            #expect(first <= 172)
            #expect((first...file.count).allSatisfy { isRefused(file.prefix($0), source) })
        }
    }

    @Test(
        "What is public gives no alarm: certificates, requests, public keys, other archives, configurations, noise",
        arguments: kinds)
    func noAlarm(_ kind: String) throws {
        let source = try source(kind)
        _ = try self.source(kind, name: "b")
        let script = """
            cat a.crt; openssl x509 -in a.crt -outform der >a.der; cat a.der; base64 -w 0 a.der; base64 -w 0 a.crt
            openssl pkey -in a.key -pubout; openssl pkey -in a.key -pubout -outform der >a.pub; cat a.pub
            for n in 1 2 3; do
                printf x >>a.pub; base64 a.pub; base64 -w 0 a.pub; (printf %0${n}d 0; cat a.der) | base64
            done
            openssl req -new -key a.key -subj /CN=www.example.com; openssl req -new -key a.key -subj /CN=x -outform der
            openssl pkcs12 -export -in b.crt -inkey b.key -passout pass:other >b.p12; cat b.p12; base64 -w 0 b.p12
            openssl x509 -in a.crt -noout -text
            printf '# configuration file /etc/nginx/nginx.conf:\\nssl_certificate_key /etc/nginx/tls/www.key;\\n'
            sed 's/$/\\\\n/' a.crt | tr -d '\\n'
            """
        let text = try shell(script)
        #expect(!isRefused(text, source))
        if kind.hasPrefix("rsa") {
            let modulus = try shell("openssl rsa -in a.key -noout -modulus | sed 's/.*=//' | xxd -r -p")
            #expect(!isRefused(modulus, source))
            for shift in 0..<3 {
                #expect(!isRefused(Data([UInt8](repeating: 0, count: shift) + modulus).base64EncodedData(), source))
            }
        }
        let noise = try shell(
            "head -c 1000000 /dev/urandom >noise; cat noise; base64 noise; base64 -w 0 noise | base64")
        #expect(!isRefused(noise, source))
    }

    @Test("Output that is cut by max_output_bytes shows neither a key nor a password")
    func cutOutput() throws {
        let source = try source(Self.kinds[1])
        let scope = try scope(.mutating, below: [directory.path], exec: [["/bin/cat"]], secrets: source)
        let whole = try #require(form(source, .base64, .wrappingNone))
        let cut = scope.exec(["/bin/cat"], stdin: [.secret("key", .base64)], maxOutput: UInt32(whole.count - 1))
        #expect(cut.code == .permissionDenied && cut.result == nil)
        #expect(scope.exec(["/bin/cat"], stdin: [.secret("key", .der)], maxOutput: 100).code == .permissionDenied)
        for most in 4...UInt32(Self.password.utf8.count) {
            let shown = scope.exec(["/bin/cat"], stdin: [.text("x"), .secret("password")], maxOutput: most + 1)
            #expect(shown.execResponse?.stdout.text == "x" + String(repeating: "*", count: Int(most)))
        }
    }

    @Test("An answer that read_until cuts shows neither a key nor a password")
    func cutAnswer() throws {
        let source = try source(Self.kinds[1])
        let server = try PythonServer("unix_server", [directory["admin.sock"]])
        let path = "unix:" + directory["admin.sock"]
        let scope = try RequestFixture.scope(dial: [path], secrets: source)
        func send(_ content: Wire.Segment, until end: [UInt8]) -> Wire.Reply {
            scope.perform(
                .send(
                    Wire.SendRequest(
                        address: path, content: [content, .text("\n\n")], readUntil: Bytes(end),
                        timeoutMilliseconds: 60_000)))
        }
        let whole = try #require(form(source, .base64, .wrappingNone))
        let key = send(.secret("key", .base64), until: Array(whole.dropLast().suffix(12)))
        #expect(key.code == .permissionDenied && key.result == nil)
        for end in ["orrect", " hor", "batter"] {
            let word = send(.secret("password"), until: Array(end.utf8))
            #expect(word.code == .permissionDenied && word.result == nil, "\(end)")
        }
        withExtendedLifetime(server) {}
    }

    @Test("A secret that was sent and is no field is recognised in part too")
    func sentParts() throws {
        var sent = SentSecrets()
        sent.note(Bytes(Array("bearer-token-of-the-user".utf8), isSecret: true))
        #expect(throws: EffectError.self) { try sent.refuse(["ok", "x bearer-token-of-t y"], "o") }
        #expect(throws: EffectError.self) { try sent.refuse(["so: bearer"], "o", isCut: true) }
        try sent.refuse(["text/bear", "bear"], "o")
        try sent.refuse(["the bearer token of the user"], "o")
    }

    @Test("Of a document with secrets in it the long words are recognised, and its addresses are not")
    func documents() throws {
        let token = "Zm9vYmFyMTIzNDU2Nzg5MFphYmNkZWZnaGlqa2xtbm9w"
        let address = "https://oauth2.googleapis.com/token/for/service/accounts"
        let pad = String(repeating: "-", count: 80)
        let document = #"{"type":"service_account","token_uri":"\#(address)","pad":"\#(pad)","secret":"\#(token)"}"#
        let source = SecretSource(
            [], fields: [(name: "account", bytes: Bytes(Array(document.utf8), isSecret: true))])
        #expect(isRefused("a \(token.dropFirst(5).prefix(16)) b".utf8, source))
        #expect(!isRefused(#"{"token_uri":"\#(address)","type":"service_account"}"#.utf8, source))
    }

    @Test("A header of an answer that repeats the key in another form is refused")
    func header() throws {
        let source = try source(Self.kinds[1])
        let der = try #require(form(source, .der, .wrappingNone))
        let text = Data(der).base64EncodedString()
        let server = try ScriptedServer("HTTP/1.1 200 OK\r\nX-Echo: \(text)\r\nContent-Length: 2\r\n\r\nok")
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)"], secrets: source)
        let reply = scope.ask("GET", "http://127.0.0.1:\(server.port)/")
        #expect(reply.code == .permissionDenied && reply.result == nil)
    }

    @Test("A file of the largest size is looked through; one alarm at its end is found")
    func large() throws {
        let source = try source(Self.kinds[0])
        let der = try #require(form(source, .der, .wrappingNone))
        var content = [UInt8](repeating: UInt8(ascii: "A"), count: (3 << 20) - 16)
        let begin = Deadline.now
        #expect(!isRefused(content, source))
        print("3 MiB looked through in \((Deadline.now.nanoseconds - begin.nanoseconds) / 1_000) µs, with the table")
        let again = Deadline.now
        #expect(!isRefused(content, source))
        print("and again in \((Deadline.now.nanoseconds - again.nanoseconds) / 1_000) µs")
        content += der.suffix(40).prefix(16)
        #expect(isRefused(content, source))
    }
}
