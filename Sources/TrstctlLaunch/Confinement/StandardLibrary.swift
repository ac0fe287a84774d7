import Glibc
import TrstctlSystem

/// The library that belongs to an interpreter, as distributions install it.
enum StandardLibrary {
    /// Directories below the interpreter's prefix (`/usr` of `/usr/bin/python3.11`), by the beginning of its name.
    private static func places(of name: Substring) -> [String] {
        if name.hasPrefix("python") { return ["lib/\(name)", "lib/python3"] }
        if name.hasPrefix("perl") { return ["share/perl", "share/perl5"] }
        if name.hasPrefix("ruby") { return ["lib/ruby"] }
        return []
    }

    /// The directories that exist; none for an interpreter without a library (a shell), or for one that is not known.
    ///
    /// What lies in the system's library directories is granted to every dynamic executable.
    ///
    /// - Parameter interpreter: its path after symbolic links: `python3` is a link, and the library has the version's
    ///   name.
    /// - Returns: absolute paths, at most two.
    static func directories(of interpreter: Bytes) -> [String] {
        guard let path = interpreter.text, let slash = path.lastIndex(of: "/"), path[..<slash].hasSuffix("/bin") else {
            return []
        }
        let prefix = path[..<slash].dropLast("bin".count)
        return places(of: path[path.index(after: slash)...]).map { prefix + $0 }.filter { access($0, F_OK) == 0 }
    }
}
