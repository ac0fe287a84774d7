import ArgumentParser
import TrstctlCrypto
import TrstctlHost
import TrstctlSystem

extension Plugin {
    struct Sign: HostCommand {
        static let configuration = CommandConfiguration(
            abstract: "For authors: sign an executable, so that its users can ask for your signature.",
            discussion: """
                Writes FILE.sig, or FILE.sigstore.json, beside the executable. The key is an unencrypted P-256 or Ed25519 \
                private key (PEM) in a file that only you can read, or comes from standard input:

                openssl pkey -in key.pem | trstctl plugin sign --key - FILE

                Nobody is asked for a passphrase.
                """)

        @OptionGroup var options: GlobalOptions
        @ParentCommand var parent: Plugin

        @Option(help: ArgumentHelp("The private key's file; - reads it from standard input.", valueName: "file"))
        var key: String

        @Flag(help: "Write a Sigstore bundle, FILE.sigstore.json; P-256 keys only.")
        var bundle = false

        @Argument(help: "The executable that users install, byte for byte.")
        var file: String

        var global: GlobalOptions { options.merged(under: parent.parent.global) }

        func run(_ host: Host, _ output: Output) async throws -> Int32 {
            let report = try host.sign(
                Bytes(file), key: try AuthorKey(argument: key), as: bundle ? .sigstoreBundle : .base64)
            output.result(report) { PluginText.signed(report) }
            return ExitStatusCode.fine
        }
    }
}

extension PluginText {
    static func signed(_ report: SignReport) -> String {
        var lines = [
            "signed \(report.file)",
            "  signature  \(report.signature)  (\(report.form))",
            "  sha256     \(report.sha256)",
            "  key        \(report.algorithm) \(report.keyID)",
        ]
        lines += report.warnings.map { "  warning: \($0)" }
        lines += ["publish both files, and once the public key:"]
        lines += report.publicKey.split(separator: "\n").map(String.init)
        return lines.joined(separator: "\n")
    }
}
