import Foundation
import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlTestSupport
import TrstctlWire

@testable import TrstctlBroker

@Suite("Authentication with clouds", .ownThreads)
struct RequestCloudTests {
    /// Vectors of AWS' own test suite (aws-sig-v4-test-suite): key, date and host are the same in all.
    @Test(
        "AWS Signature Version 4 agrees with AWS' vectors",
        arguments: [
            ("GET", "/", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET", "/?Param2=value2&Param1=value1", "",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
            ),
            ("POST", "/", "TOKEN", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
        ])
    func vectors(method: String, target: String, token: String, signature: String) throws {
        let server = try ScriptedServer(RequestFixture.fine)
        let session =
            "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8"
            + "YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8Y"
            + "QcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/o"
            + "LxBA=="
        let secrets = SecretSource([
            ("secret", Bytes(Array("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".utf8), isSecret: true)),
            ("session", Bytes(Array(session.utf8), isSecret: true)),
        ])
        let scope = try RequestFixture.scope(dial: ["example.amazonaws.com:80 loopback"], secrets: secrets) { network in
            network.resolver = { _, _ in
                .addresses([PeerAddress(bytes: [127, 0, 0, 1], port: server.port)].compactMap { $0 })
            }
        }
        let reply = scope.ask(method, "http://example.amazonaws.com" + target) {
            $0.headers = [Wire.HttpHeader(name: "X-Amz-Date", value: [.text("20150830T123600Z")])]
            $0.authentication = Wire.HttpAuthentication(
                scheme: .awsSigv4, identity: "AKIDEXAMPLE", secretName: "secret", region: "us-east-1",
                service: "service",
                sessionTokenName: token.isEmpty ? "" : "session")
        }
        #expect(reply.http?.status == 200, "\(reply.message)")
        let line = try #require(
            server.requests.first?.split(separator: "\r\n").first { $0.hasPrefix("Authorization:") })
        let names = "host;x-amz-date" + (token.isEmpty ? "" : ";x-amz-security-token")
        #expect(
            line == "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=\(names), Signature=\(signature)")
        #expect(!"\(scope.records)".contains("wJalrXUtnFEMI"))
    }

    @Test func `A request like those of a connector is signed as botocore signs it`() throws {
        let server = try ScriptedServer(RequestFixture.fine)
        let key = Bytes(Array("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".utf8), isSecret: true)
        let host = "acm.eu-central-1.amazonaws.com"
        let scope = try RequestFixture.scope(dial: ["\(host):80 loopback"], secrets: SecretSource([("secret", key)])) {
            $0.resolver = { _, _ in
                .addresses([PeerAddress(bytes: [127, 0, 0, 1], port: server.port)].compactMap { $0 })
            }
        }
        let reply = scope.ask("POST", "http://\(host)/") {
            $0.headers = [
                Wire.HttpHeader(name: "X-Amz-Target", value: [.text("CertificateManager.GetCertificate")]),
                Wire.HttpHeader(name: "Content-Type", value: [.text("application/x-amz-json-1.1")]),
                Wire.HttpHeader(name: "X-Amz-Date", value: [.text("20150830T123600Z")]),
            ]
            $0.body = [.text(#"{"CertificateArn":"arn:x"}"#)]
            $0.authentication = Wire.HttpAuthentication(
                scheme: .awsSigv4, identity: "AKIDEXAMPLE", secretName: "secret", region: "eu-central-1", service: "acm"
            )
        }
        #expect(reply.http?.status == 200, "\(reply.message)")
        // Made with botocore 1.43.
        let expected =
            "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
            + "Signature=5189389050d0b1078a26ac13bdbd2a7f64c539423601a5fc44cdbf5a0060e8dd\r\n"
        #expect(server.requests.first?.contains(expected) == true, "\(server.requests)")
    }

    @Test(
        "moto verifies what is signed, and the policy behind the key",
        .enabled(if: Tool.isCI || PythonServer.moto != nil, "needs moto, which scripts/setup --test installs"))
    func moto() throws {
        let python = try #require(PythonServer.moto, "scripts/setup --test did not install moto")
        let aws = try PythonServer("moto_server", python: python)
        let key = try #require(aws.words.last)
        let secrets = SecretSource([
            ("right", Bytes(Array(key.utf8), isSecret: true)),
            ("wrong", Bytes(Array(key.utf8.reversed()), isSecret: true)),
        ])
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(aws.port)"], secrets: secrets)
        func ask(_ operation: String, _ secret: String, _ body: String) -> Wire.HttpResponse? {
            scope.ask("POST", "http://127.0.0.1:\(aws.port)/") {
                $0.headers = [
                    Wire.HttpHeader(name: "X-Amz-Target", value: [.text("CertificateManager.\(operation)")]),
                    Wire.HttpHeader(name: "Content-Type", value: [.text("application/x-amz-json-1.1")]),
                ]
                $0.body = [.text(body)]
                $0.authentication = Wire.HttpAuthentication(
                    scheme: .awsSigv4, identity: aws.words.first ?? "", secretName: secret, region: "eu-central-1",
                    service: "acm")
            }.http
        }
        let listed = ask("ListCertificates", "right", "{}")
        #expect(listed?.status == 200 && listed?.body.text?.contains("CertificateSummaryList") == true)
        let wrong = ask("ListCertificates", "wrong", "{}")
        #expect(wrong?.status == 403 && wrong?.body.text?.contains("SignatureDoesNotMatch") == true)
        let denied = ask("GetCertificate", "right", #"{"CertificateArn":"arn:aws:acm:eu-central-1:1:certificate/x"}"#)
        #expect(denied?.status == 403 && denied?.body.text?.contains("AccessDenied") == true)
    }

    @Test func `What cannot be signed in one way only is refused`() throws {
        let server = try ScriptedServer(RequestFixture.fine)
        let scope = try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)"])
        for (path, region, service) in [
            ("/a%20b", "eu-central-1", "acm"), ("/a:b", "eu-central-1", "acm"), ("/", "", "acm"), ("/", "eu:1", "acm"),
            ("/", "eu-1", "ACM"),
        ] {
            let reply = scope.ask("GET", "http://127.0.0.1:\(server.port)\(path)") {
                $0.authentication = Wire.HttpAuthentication(
                    scheme: .awsSigv4, identity: "AKID", secretName: "password", region: region, service: service)
            }
            #expect(reply.code == .invalidArgument, "\(path) \(region) \(service)")
        }
        #expect(server.connections == 0)
    }

    @Test func `The machine's own credentials come from its metadata service, which needs a grant`() throws {
        let metadata = try PythonServer("https_server")
        let server = try ScriptedServer(RequestFixture.fine)
        func scope(_ dial: [String]) throws -> BrokerScope {
            try RequestFixture.scope(dial: ["127.0.0.1:\(server.port)"] + dial) {
                $0.metadata = try? DialAddress("127.0.0.1:\(metadata.port)")
            }
        }
        func asked(_ scope: BrokerScope, _ cloud: String, _ wanted: String = "") -> Wire.Reply {
            scope.ask("GET", "http://127.0.0.1:\(server.port)/") {
                $0.authentication = Wire.HttpAuthentication(
                    scheme: .instanceMetadata, identity: cloud, region: "eu-central-1", service: "acm", scope: wanted)
            }
        }
        let closed = try scope([])
        for cloud in ["aws", "azure", "gcp"] { #expect(asked(closed, cloud).code == .permissionDenied) }
        #expect(server.connections == 0)
        let open = try scope(["127.0.0.1:\(metadata.port)"])
        #expect(asked(open, "aws").http?.status == 200)
        let signed = try #require(server.requests.last)
        #expect(signed.contains("Credential=AKIDMACHINE/") && signed.contains("x-amz-security-token, Signature="))
        #expect(signed.contains("X-Amz-Security-Token: token//==\r\n") && !signed.contains("secret-of"))
        #expect(asked(open, "azure", "https://vault.azure.net/").http?.status == 200)
        #expect(server.requests.last?.contains("Authorization: Bearer bearer-token-of-the-user\r\n") == true)
        #expect(asked(open, "azure", "https://other.example/").code == .failedPrecondition)
        for scopes in ["", "a b"] { #expect(asked(open, "gcp", scopes).http?.status == 200) }
        #expect(asked(open, "elsewhere").code == .invalidArgument)
        // From now on the server does not say that it is the metadata service.
        let other = try scope(["127.0.0.1:\(metadata.port)"])
        #expect(
            other.ask("POST", "http://127.0.0.1:\(metadata.port)/token") { $0.body = [.text("a=b")] }.http?.status
                == 200)
        #expect(asked(other, "gcp").code == .failedPrecondition)
        #expect(
            !"\(open.records)".contains("secret-of-the-machine") && !"\(open.records)".contains("session-of-")
                && !"\(open.records)".contains("bearer-token"))
        // The real address stands in the source, and is granted like any other.
        #expect(NetworkSettings().metadata == (try DialAddress("169.254.169.254:80")))
    }

    @Test(
        "Texts are read from JSON in place, and only from JSON",
        arguments: [
            (#"{"a": "b"}"#, "b"),
            (#" { "x" : [1, {"y": "}"}, "]"], "a" : "b\n\"\\\/\u00e9" , "z": -1.5e3, "t": true }  "#, "b\n\"\\/é"),
            (#"{"a":"b","a":"c"}"#, nil), (#"{"a":"b"} x"#, nil), (#"{"a":"b""#, nil), (#"{"a":"b}"#, nil),
            (#"{"a":"\"#, nil),
            (#"{"a":"\q"}"#, nil), (#"{"a":"\ud800"}"#, nil), (#"{"a":"\u12"}"#, nil), ("{\"a\":\"\n\"}", nil),
            (#"["a"]"#, nil), ("", nil),
            (#"{"a"}"#, nil), (#"{"b":}"#, nil), (#"{}"#, nil),
            (#"{"b":"# + String(repeating: "[", count: 40) + "}", nil),
        ] as [(String, String?)])
    func json(text: String, expected: String?) {
        #expect(SecretJSON(Bytes(text))?.texts["a"]?.text == expected)
    }
}
