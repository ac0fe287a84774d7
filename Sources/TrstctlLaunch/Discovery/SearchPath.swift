import Glibc
package import TrstctlSystem

/// Where connectors are looked for, in order.
package struct SearchPath: Sendable {
    /// Why a directory is searched; it decides whether its absence is worth a word.
    package enum Origin: Sendable, Hashable {
        /// `--plugin-dir`.
        case commandLine
        /// An entry of `$TRSTCTL_PLUGIN_DIR`.
        case environment
        /// `~/.trstctl/plugins` or `/usr/local/share/trstctl/plugins`.
        case standard
    }

    /// One directory to search.
    package struct Directory: Sendable, Hashable {
        package let path: Bytes
        package let origin: Origin
    }

    package let directories: [Directory]

    /// Explicit directories first, then the entries of `$TRSTCTL_PLUGIN_DIR`, then the home's, then the machine's.
    ///
    /// - Parameters:
    ///   - explicit: from `--plugin-dir`; relative ones are relative to the working directory.
    ///   - variable: the value of `$TRSTCTL_PLUGIN_DIR`, entries separated by colons. Empty entries are skipped: unlike
    ///     in `$PATH`, they never mean the working directory.
    ///   - home: the caller's home directory, nil or not absolute when there is none.
    package init(explicit: [Bytes], variable: Bytes?, home: Bytes?) {
        var all = explicit.map { Directory(path: $0, origin: .commandLine) }
        let entries = variable?.array.split(separator: UInt8(ascii: ":")) ?? []
        all += entries.map { Directory(path: Bytes(Array($0)), origin: .environment) }
        if let home = home?.array, home.first == UInt8(ascii: "/") {
            all.append(Directory(path: Bytes(home + Array("/.trstctl/plugins".utf8)), origin: .standard))
        }
        all.append(Directory(path: "/usr/local/share/trstctl/plugins", origin: .standard))
        var seen: Set<Bytes> = []
        directories = all.filter { seen.insert($0.path).inserted }
    }

    /// The search path of this process: its environment, after the explicit directories, which become absolute: what
    /// reports and the audit log say has to hold for a reader who is somewhere else.
    package static func current(explicit: [Bytes]) -> SearchPath {
        SearchPath(
            explicit: explicit.map(absolute), variable: environmentValue("TRSTCTL_PLUGIN_DIR"),
            home: environmentValue("HOME"))
    }

    /// A path behind that of the working directory; as it is when nobody knows that one.
    private static func absolute(_ path: Bytes) -> Bytes {
        // An empty one, of a variable that is not set, must not become the working directory.
        guard let first = path.array.first, first != UInt8(ascii: "/"), let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        let base = Array(UnsafeRawBufferPointer(start: here, count: strlen(here)))
        let rest = path.array.starts(with: Array("./".utf8)) ? path.array.dropFirst(2) : path.array[...]
        let isHere = rest.isEmpty || rest.elementsEqual(".".utf8)
        return Bytes(isHere ? base : base + (base.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + rest)
    }

    private static func environmentValue(_ name: String) -> Bytes? {
        guard let value = getenv(name) else { return nil }
        return Bytes(copying: UnsafeRawBufferPointer(start: value, count: strlen(value)))
    }
}
