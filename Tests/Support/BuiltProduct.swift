import Foundation
import Glibc

/// An executable of this package, as it was built together with the tests.
package enum BuiltProduct {
    package struct NotBuilt: Error, CustomStringConvertible {
        package let description: String
    }

    /// Finds it beside the test bundle, whose path is this process's or one of its arguments; or in the directory that
    /// `TRSTCTL_PRODUCTS` names, with which the tests run what is released instead.
    ///
    /// - Parameter name: for example `trstctl` or `trstctl-connector-echo`.
    /// - Returns: its absolute path.
    /// - Throws: `NotBuilt`.
    package static func path(_ name: String) throws(NotBuilt) -> String {
        if let products = ProcessInfo.processInfo.environment["TRSTCTL_PRODUCTS"] {
            let path = "\(products)/\(name)"
            guard FileManager.default.isExecutableFile(atPath: path) else {
                throw NotBuilt(description: "\(path) is not there: swift build -c release --disable-local-rpath")
            }
            return path
        }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        for start in [own] + CommandLine.arguments where start.hasPrefix("/") {
            var folder = URL(fileURLWithPath: start).deletingLastPathComponent()
            for _ in 0..<4 {
                let path = folder.appendingPathComponent(name).path
                var isDirectory: ObjCBool = false
                if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory.boolValue,
                    FileManager.default.isExecutableFile(atPath: path)
                {
                    return path
                }
                folder.deleteLastPathComponent()
            }
        }
        throw NotBuilt(description: "\(name) is not beside the test bundle: swift build")
    }

    /// Puts a connector into a directory without copying its bytes, for tests that only run it.
    package static func link(_ connector: String, in directory: String) throws {
        let place = "\(directory)/trstctl-connector-\(connector)"
        guard !FileManager.default.fileExists(atPath: place) else { return }
        let path = try path("trstctl-connector-\(connector)")
        if Glibc.link(path, place) != 0 { try FileManager.default.copyItem(atPath: path, toPath: place) }
    }

    /// Copies a connector into a directory, under its own name or another's.
    ///
    /// - Returns: the copy's path.
    @discardableResult
    package static func install(
        _ connector: String, in directory: String, as name: String? = nil
    ) throws -> String {
        let copy = "\(directory)/trstctl-connector-\(name ?? connector)"
        try FileManager.default.copyItem(atPath: path("trstctl-connector-\(connector)"), toPath: copy)
        return copy
    }
}
