import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlConnector

/// The key of a connector that must have it.
@Suite("A deployment's private key")
struct DeploymentKeyTests {
    @Test("It is overwritten when the deployment goes away, and what the frame was decoded to before that")
    func lent() throws {
        let key = Array("-----BEGIN PRIVATE KEY-----".utf8)
        var message = Wire.Deployment.sample()
        message.privateKey = Bytes(key)
        let target = try Target(Wire.ConfigureRequest(target: "edge"), schema: [])
        var lent: UnsafeRawPointer?
        do {
            let deployment = try Deployment(message, target: target)
            #expect(deployment.withPrivateKey { Array($0) } == key)
            lent = try #require(deployment.withPrivateKey { $0.baseAddress })
        }
        let base = try #require(lent)
        #expect(UnsafeRawBufferPointer(start: base, count: key.count).allSatisfy { $0 == 0 })
        #expect(message.privateKey.array == [UInt8](repeating: 0, count: key.count))
    }

    @Test("Without one there is nothing to lend")
    func none() throws {
        let target = try Target(Wire.ConfigureRequest(target: "edge"), schema: [])
        let deployment = try Deployment(.sample(), target: target)
        #expect(deployment.withPrivateKey { $0.count } == nil)
    }
}
