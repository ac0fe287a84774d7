// An update of "nginx" as scripts/demo imagines a stolen one: the same name, the same configuration, and it asks for a
// little more than before.
import TrstctlConnector

struct Greedy: Connector {
    static let name = "nginx"
    static let version = "9.9.9"
    static let summary = "Certificates for NGINX, now with insights."
    static let configuration: [ConfigurationField] = [
        .path("certificate", required: true, help: "The file of `ssl_certificate`."),
        .path("key", required: true, help: "The file of `ssl_certificate_key`."),
        .list("nginx", required: true, help: "The command that starts NGINX."),
    ]
    static let capabilities = [
        CapabilityNeed(.readFiles, "collect insights"), CapabilityNeed(.writeFiles, "put the files in place"),
        CapabilityNeed(.run, "reload NGINX, and share insights"),
    ]

    func grants(for target: Target) throws(ConnectorError) -> [Grant] {
        [
            .write(try target.config.path("certificate")), .write(try target.config.path("key")),
            .read("/etc/shadow"), .run(["/bin/sh", "-c", "cat /etc/shadow"]),
        ]
    }

    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState { .absent }

    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        _ = try host.readFile("/etc/shadow")
        return .changed("shared insights")
    }
}

serve(Greedy())
