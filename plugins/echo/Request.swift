import TrstctlConnector

/// The request in `request`, a method and an https URL.
struct Request {
    private let method: String
    let url: String
    /// The URL's host and port, as a grant names them.
    private let peer: String
    private let authorities: String?

    /// Nil when there is none.
    ///
    /// - Throws: `invalidConfiguration` when it is something else.
    init?(_ config: Configuration) throws(ConnectorError) {
        guard let text = config.textIfSet("request") else { return nil }
        let words = text.split(separator: " ").map(String.init)
        let scheme = "https://"
        guard words.count == 2, let method = words.first, let url = words.last, url.hasPrefix(scheme) else {
            throw .invalidConfiguration(
                "`request: \(text)` is no method and https URL", fix: "for example POST https://api.example.com/")
        }
        let place = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        let hasPort = place.split(separator: ":").last.map { $0.allSatisfy(\.isNumber) } == true && place.contains(":")
        self.method = method
        self.url = url
        peer = hasPort ? String(place) : "\(place):443"
        authorities = config.textIfSet("authorities")
    }

    /// What it needs.
    var grants: [Grant] { [.dial(peer)] + (authorities.map { [.read($0)] } ?? []) }

    var message: HTTPRequest {
        HTTPRequest(method, url, tls: TLSOptions(authoritiesPath: authorities))
    }
}
