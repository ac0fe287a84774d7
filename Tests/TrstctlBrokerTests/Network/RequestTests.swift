import Foundation
import Testing
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Requests over HTTPS", .ownThreads)
struct RequestTests {
    let pki: TestPKI
    let server: PythonServer
    let authorities: String
    let base: String

    init() throws {
        (pki, server, authorities) = try RequestFixture.server("127.0.0.1", "other.example")
        base = "https://127.0.0.1:\(server.port)"
    }

    func scope(_ rights: ScopeRights = .mutating, dial: [String] = [], secrets: SecretSource = RequestFixture.secrets)
        throws -> BrokerScope
    {
        try RequestFixture.scope(
            rights, dial: ["127.0.0.1:\(server.port)"] + dial, read: [authorities], secrets: secrets)
    }

    var tls: Wire.TlsOptions { Wire.TlsOptions(authoritiesPath: Bytes(authorities)) }

    /// How the server names what authenticated the request.
    func seen(_ reply: Wire.Reply, _ field: String) throws -> String? {
        let headers = try #require(reply.http, "\(reply.message)").json()["headers"] as? [String: String]
        return headers?[field]
    }

    @Test func `N01: a granted server is asked, verified against the file of authorities`() throws {
        let scope = try scope()
        let reply = scope.ask("GET", base + "/hello?a=b") { $0.tls = tls }
        let response = try #require(reply.http, "\(reply.message)")
        #expect(response.status == 200 && !response.planned)
        let seen = try response.json()
        #expect(seen["path"] as? String == "/hello?a=b" && seen["method"] as? String == "GET")
        let headers = try #require(seen["headers"] as? [String: String])
        #expect(headers["Host"] == "127.0.0.1:\(server.port)")
        #expect(headers["Accept-Encoding"] == nil && headers["Cookie"] == nil && headers["User-Agent"] == nil)
        #expect(scope.records.map(\.operation) == ["ReadFile", "Request"])
        #expect(scope.records.last?.object == "GET \(base)/hello")
        #expect(scope.records.last?.reason == "status 200")
        #expect(scope.records.allSatisfy { $0.outcome == .allowed })
        #expect(scope.changes.isEmpty)
    }

    @Test func `A server that does not verify is refused with the reason and the next step`() throws {
        let scope = try scope()
        func refused(
            _ change: (inout Wire.TlsOptions) -> Void, _ text: String, _ code: Wire.Status.Code = .failedPrecondition
        ) {
            var options = tls
            change(&options)
            let reply = scope.ask("GET", base + "/") { $0.tls = options }
            #expect(reply.code == code && reply.message.contains(text), "\(reply.message)")
            #expect(reply.status?.fix.isEmpty == false || code == .invalidArgument)
        }
        refused({ $0.authoritiesPath = Bytes() }, "certificate")
        refused({ $0.serverName = "wrong.example" }, "wrong.example")
        refused({ $0.publicKeyPin = String(repeating: "0", count: 64) }, "another public key")
        refused({ $0.publicKeyPin = "00" }, "64 lower-case", .invalidArgument)
        refused({ $0.serverName = "127.1" }, "server_name", .invalidArgument)
        refused({ $0.clientKeyName = "header" }, "named together", .invalidArgument)
        // N29: the file needs a grant of its own, and no field switches the verification off.
        let other = try pki.write("other.pem", pki.root.certificate.pem)
        refused({ $0.authoritiesPath = Bytes(other) }, other, .permissionDenied)
        let empty = try pki.write("root.pem", Bytes("no certificate"))
        refused({ $0.authoritiesPath = Bytes(empty) }, "no PEM certificate", .invalidArgument)
    }

    @Test func `An expired certificate, and one of another authority, are refused`() throws {
        let expired = try pki.issue("expired", names: ["127.0.0.1"], startsAt: -86_400, lasts: 3_600)
        let others = try TestPKI()
        let stranger = try others.issue("stranger", names: ["127.0.0.1"])
        for (made, text) in [(expired, "expired"), (stranger, "issuer")] {
            let server = try PythonServer("https_server", [made.fullchainPath, made.keyPath])
            let scope = try scope(dial: ["127.0.0.1:\(server.port)"])
            let reply = scope.ask("GET", "https://127.0.0.1:\(server.port)/") { $0.tls = tls }
            #expect(reply.code == .failedPrecondition && reply.message.contains(text), "\(reply.message)")
        }
    }

    @Test func `Another name, the pinned key and a client certificate are honoured`() throws {
        let made = try pki.issue("server", names: ["other.example"])
        // NID_ext_key_usage is 126 (openssl/obj_mac.h).
        let wanted = CertificateRequest(
            subject: "client.example", isAuthority: false, extensions: [(nid: 126, value: "clientAuth")])
        let client = try pki.identity(wanted, by: pki.intermediate)
        let server = try PythonServer("https_server", [made.fullchainPath, made.keyPath, authorities])
        let secrets = SecretSource([
            ("c", pki.pem([client.certificate, pki.intermediate.certificate])),
            ("k", Bytes(try client.keyPEM(.pkcs8).array, isSecret: true)),
        ])
        let scope = try scope(dial: ["127.0.0.1:\(server.port)"], secrets: secrets)
        let pin = try shell("openssl x509 -in server.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum")
        var options = tls
        options.serverName = "other.example"
        options.publicKeyPin = String(pin.output.prefix(64))
        let url = "https://127.0.0.1:\(server.port)/"
        #expect(scope.ask("GET", url) { $0.tls = options }.code == .failedPrecondition)
        options.clientCertificateName = "c"
        options.clientKeyName = "k"
        let reply = scope.ask("GET", url) { $0.tls = options }
        let seen = try #require(reply.http, "\(reply.message)").json()
        #expect(seen["client"] as? String == "client.example" && seen["name"] as? String == "other.example")
        #expect(try self.seen(reply, "Host") == "127.0.0.1:\(server.port)")
    }

    @Test func `Basic, bearer and header authentication are written by the host`() throws {
        let scope = try scope()
        func authenticated(_ authentication: Wire.HttpAuthentication) -> Wire.Reply {
            scope.ask("GET", base + "/") {
                $0.tls = tls
                $0.authentication = authentication
            }
        }
        let basic = authenticated(Wire.HttpAuthentication(scheme: .basic, identity: "user", secretName: "password"))
        #expect(try seen(basic, "Authorization") == "basic")
        let bearer = authenticated(Wire.HttpAuthentication(scheme: .bearer, secretName: "bearer"))
        #expect(try seen(bearer, "Authorization") == "bearer")
        let header = authenticated(Wire.HttpAuthentication(scheme: .header, secretName: "header", headerName: "X-Key"))
        #expect(try seen(header, "X-Key") == "key")
        for wrong in [
            Wire.HttpAuthentication(), Wire.HttpAuthentication(scheme: .unrecognized(99)),
            Wire.HttpAuthentication(scheme: .bearer, secretName: "unknown"),
            Wire.HttpAuthentication(scheme: .bearer, secretName: "empty"),
            Wire.HttpAuthentication(scheme: .basic, identity: "us:er", secretName: "password"),
            Wire.HttpAuthentication(scheme: .basic, identity: "user\r\n", secretName: "password"),
            Wire.HttpAuthentication(scheme: .basic, secretName: "password"),
            Wire.HttpAuthentication(scheme: .header, secretName: "header", headerName: "X Y"),
        ] { #expect(authenticated(wrong).code == .invalidArgument, "\(wrong)") }
        let twice = scope.ask("GET", base + "/") {
            $0.tls = tls
            $0.headers = [Wire.HttpHeader(name: "authorization", value: [.text("x")])]
            $0.authentication = Wire.HttpAuthentication(scheme: .bearer, secretName: "bearer")
        }
        #expect(twice.code == .invalidArgument)
        let text = "\(scope.records)"
        for secret in ["password-of-the-user", "bearer-token", "header-key", "dXNlcjpw"] {
            #expect(!text.contains(secret))
        }
    }

    @Test func `A token is fetched once in a scope, from a service with a grant of its own`() throws {
        let made = try pki.issue("tokens", names: ["127.0.0.1"])
        let tokens = try PythonServer("https_server", [made.fullchainPath, made.keyPath])
        let authentication = Wire.HttpAuthentication(
            scheme: .oauth2ClientCredentials, identity: "client id", secretName: "password",
            tokenUrl: "https://127.0.0.1:\(tokens.port)/token", scope: "a b/.default")
        func asked(_ scope: BrokerScope, _ method: String = "GET") -> Wire.Reply {
            scope.ask(method, base + "/") {
                $0.tls = tls
                $0.authentication = authentication
            }
        }
        let closed = try scope()
        #expect(asked(closed).code == .permissionDenied)
        #expect(asked(closed).status?.fix == "net.dial: [\"127.0.0.1:\(tokens.port)\"]")
        let open = try scope(dial: ["127.0.0.1:\(tokens.port)"])
        for _ in 0..<2 { #expect(try seen(asked(open), "Authorization") == "token") }
        #expect(open.records.map(\.operation) == ["ReadFile", "Token", "Request", "ReadFile", "Request"])
        #expect(!"\(open.records)".contains("token-1"))
        let state = try #require(open.ask("GET", "https://127.0.0.1:\(tokens.port)/state") { $0.tls = tls }.http).json()
        #expect(state["tokens"] as? Int == 1)
        #expect(
            state["form"] as? [String: String] == [
                "grant_type": "client_credentials", "client_id": "client id", "client_secret": "password-of-the-user",
                "scope": "a b/.default",
            ])
        let plain = open.ask("GET", base + "/") {
            $0.tls = tls
            $0.authentication = authentication
            $0.authentication?.tokenUrl = "http://127.0.0.1:\(tokens.port)/token"
        }
        #expect(plain.code == .invalidArgument)
        // A plan asks no service, but is told whether it may.
        let plan = try scope(.recording)
        #expect(asked(plan, "POST").code == .permissionDenied)
        let granted = try scope(.recording, dial: ["127.0.0.1:\(tokens.port)"])
        #expect(asked(granted, "POST").http?.planned == true)
        #expect(granted.records.map(\.outcome) == [.allowed, .planned, .planned])
    }

    @Test func `A service account's statement is signed with its key`() throws {
        let account = try pki.issue("account", algorithm: .rsa2048)
        let key = try #require(FileManager.default.contents(atPath: account.keyPath))
        let file = try JSONSerialization.data(withJSONObject: [
            "type": "service_account", "client_email": "robot@project.example", "private_key_id": "id-1",
            "private_key": String(decoding: key, as: UTF8.self),
        ])
        let url = base + "/token"
        let scope = try RequestFixture.scope(
            dial: ["127.0.0.1:\(server.port)"], read: [authorities],
            secrets: SecretSource([
                ("file", Bytes(Array(file), isSecret: true)), ("text", Bytes(Array("{}".utf8), isSecret: true)),
            ])
        ) { $0.now = { 1_700_000_000 } }
        func asked(_ secret: String) -> Wire.Reply {
            scope.ask("GET", base + "/") {
                $0.tls = tls
                $0.authentication = Wire.HttpAuthentication(
                    scheme: .googleServiceAccount, secretName: secret, tokenUrl: url, scope: "https://a.example/auth")
            }
        }
        #expect(try seen(asked("file"), "Authorization") == "token")
        #expect(asked("text").code == .invalidArgument)
        let state = try #require(scope.ask("GET", base + "/state") { $0.tls = tls }.http).json()
        let form = try #require(state["form"] as? [String: String])
        #expect(form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer")
        let parts = try #require(form["assertion"]).split(separator: ".").map(String.init)
        #expect(try text(parts[0]) == #"{"alg":"RS256","typ":"JWT","kid":"id-1"}"#)
        #expect(
            try text(parts[1])
                == #"{"iss":"robot@project.example","scope":"https://a.example/auth","aud":"\#(url)","iat":1700000000,"exp":1700003600}"#
        )
        // OpenSSL's program is the judge of the signature.
        try pki.write("signed", Bytes("\(parts[0]).\(parts[1])"))
        try pki.write("signature", Bytes(Array(try data(parts[2]))))
        let judge = try shell(
            "openssl x509 -in account.crt -noout -pubkey >p && openssl dgst -sha256 -verify p -signature signature signed"
        )
        #expect(judge.status == 0, "\(judge.output)")
    }

    /// Runs a command in the directory of the keys.
    func shell(_ script: String) throws -> (status: Int32, output: String) {
        let shell = Process()
        let output = Pipe()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", script]
        shell.currentDirectoryURL = URL(fileURLWithPath: pki.directory)
        shell.standardOutput = output
        try shell.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        return (shell.terminationStatus, text)
    }

    func data(_ part: String) throws -> Data {
        let plain = part.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return try #require(Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.count % 4) % 4)))
    }

    func text(_ part: String) throws -> String { String(decoding: try data(part), as: UTF8.self) }
}
