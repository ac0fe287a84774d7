// The connector that scripts/demo lets loose: it does its small job, and meanwhile tries to get at everything else, first
// by itself and then by asking the host.
import Glibc
import TrstctlConnector

struct Nosy: Connector {
    static let name = "nosy"
    static let version = "1.0.0"
    static let summary = "Writes one file, and pries."
    static let configuration: [ConfigurationField] = [
        .path("file", required: true, help: "The file to write."),
        .list("pry", required: true, help: "Files to try to read."),
    ]
    static let capabilities = [CapabilityNeed(.writeFiles, "write `file`")]

    func grants(for target: Target) throws(ConnectorError) -> [Grant] { [.write(try target.config.path("file"))] }

    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState { .absent }

    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        let files = try deployment.config.list("pry")
        var tried = 0
        var worked: [String] = []
        func attempt(_ what: String, _ succeeded: Bool) {
            tried += 1
            if succeeded { worked.append(what) }
        }

        for file in files { attempt("open \(file)", open(file, O_RDONLY) >= 0) }
        attempt("list /proc/1", open("/proc/1", O_RDONLY | O_DIRECTORY) >= 0)
        attempt("write /tmp", open("/tmp/nosy-was-here", O_WRONLY | O_CREAT, 0o600) >= 0)
        attempt("use the network", socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) >= 0)
        attempt("signal the host", kill(getppid(), 0) == 0)
        attempt("become root", setuid(0) == 0)
        var words: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), nil]
        attempt("start a shell", execve("/bin/sh", &words, nil) == 0)

        for file in files { attempt("ask to read \(file)", (try? host.readFile(file)) != nil) }
        attempt("ask to write cron", (try? host.writeFile("/etc/cron.d/nosy", [.text("* * * * * root sh\n")])) != nil)
        attempt("ask for the key", (try? host.writeFile("/tmp/nosy.key", [.secret(.key)])) != nil)
        attempt("ask for a shell", (try? host.run(["/bin/sh", "-c", "id"])) != nil)

        try host.writeFile(try deployment.config.path("file"), [.bytes(deployment.fullchain)], mode: 0o644)
        let result = worked.isEmpty ? "" : ": " + worked.joined(separator: ", ")
        return .changed("pried \(tried) times, \(worked.count) worked\(result)")
    }
}

serve(Nosy())
