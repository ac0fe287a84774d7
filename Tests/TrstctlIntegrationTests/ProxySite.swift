import TrstctlCrypto
import TrstctlTestSupport

/// A connector with a request that goes through tinyproxy to a TLS server.
struct ProxySite {
    static let password = "word-of-the-proxy"
    let proxy: Tinyproxy
    let server: PythonServer
    var echo: EchoSite

    /// - Parameter isRefused: whether the proxy connects to another port only.
    /// - Throws: when something is not built, not installed or cannot be written.
    init(isRefused: Bool = false) throws {
        echo = try EchoSite(connector: "request")
        let scratch = echo.command.scratch
        let made = try echo.command.pki.issue("localhost")
        server = try PythonServer("https_server", [made.fullchainPath, made.keyPath])
        proxy = try Tinyproxy(
            user: "user", password: ProxySite.password, connectsTo: isRefused ? 1 : server.port)
        let pki = echo.command.pki
        let authorities = try pki.write("authorities.pem", pki.root.certificate.pem)
        try scratch.write(ProxySite.password + "\n", to: "password", mode: 0o600)
        echo.manifest.targets[0].config["url"] = "\"\(url)\""
        echo.manifest.targets[0].config["peer"] = "\"localhost:\(server.port)\""
        echo.manifest.targets[0].config["authorities"] = authorities
        echo.manifest.targets[0].proxy =
            "{ address: \"127.0.0.1:\(proxy.port)\", user: user, password: { file: \(scratch.file("password")) } }"
        echo.manifest.grants[0] = "fs.read: [\(scratch.file("live"))/, \(authorities)]"
        echo.manifest.grants.append("net.dial: [\"localhost:\(server.port)\"]")
        try echo.command.write(manifest: echo.manifest.text)
    }

    var command: TrstctlCommand { echo.command }
    var url: String { "https://localhost:\(server.port)/renewed" }
    /// What the proxy logs of the request.
    var tunnel: String { "CONNECT localhost:\(server.port) HTTP/1.1" }
}
