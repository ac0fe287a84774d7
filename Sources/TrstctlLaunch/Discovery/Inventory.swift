import CTrstctlSystem
import Glibc
import TrstctlCrypto
package import TrstctlPolicy
import TrstctlSystem

/// Every connector in the search path, for `plugin list`.
package struct Inventory: Sendable {
    /// What each name leads to, ordered by name.
    package let lookups: [(name: ConnectorName, lookup: Lookup)]
    /// Directories that could not be searched, and files whose name is no connector's.
    package let rejections: [Rejection]
}

extension Discovery {
    /// How many connectors are opened; each holds a descriptor.
    package static let maximumConnectors = 256

    /// Lists the directories and looks every connector's name up.
    ///
    /// - Parameter maximumEntries: how many entries of a directory are looked at.
    /// - Returns: each connector with what its name leads to, and what was rejected.
    package func list(maximumEntries: Int = 10_000) -> Inventory {
        var names: Set<String> = []
        var rejections: [Rejection] = []
        for directory in searchPath.directories {
            do throws(Rejection) {
                guard let opened = try open(directory) else { continue }
                rejections += try Discovery.collect(&names, from: opened, of: directory, maximumEntries)
            } catch {
                rejections.append(error)
            }
        }
        let found = names.sorted().prefix(Discovery.maximumConnectors).compactMap { ConnectorName($0) }
        let lookups = found.map { (name: $0, lookup: find($0)) }
        // The directories' own rejections come with every lookup; here they are told once.
        let trimmed = lookups.map { entry in
            let own = entry.lookup.rejections.filter { !rejections.contains($0) }
            let lookup = Lookup(candidate: entry.lookup.candidate, shadowed: entry.lookup.shadowed, rejections: own)
            return (name: entry.name, lookup: lookup)
        }
        return Inventory(lookups: trimmed, rejections: rejections)
    }

    private static func collect(
        _ names: inout Set<String>, from opened: borrowing OwnedDescriptor, of directory: SearchPath.Directory,
        _ maximumEntries: Int
    ) throws(Rejection) -> [Rejection] {
        var rejections: [Rejection] = []
        let reading: DirectoryReading
        do throws(SystemError) {
            reading = try DirectoryReading(of: opened.raw)
        } catch {
            throw Rejection(path: directory.path, reason: .unreadable(error))
        }
        let prefix = Array("trstctl-connector-".utf8)
        var count = 0
        while let file = try? reading.next()?.array {
            count += 1
            guard count <= maximumEntries, names.count <= maximumConnectors else {
                rejections.append(Rejection(path: directory.path, reason: .tooManyEntries(limit: maximumEntries)))
                break
            }
            guard file.starts(with: prefix) else { continue }
            let rest = file.dropFirst(prefix.count)
            if rest.allSatisfy({ $0 < 0x80 }), let name = ConnectorName(String(decoding: rest, as: UTF8.self)) {
                names.insert(name.text)
            } else if isSignature(rest) {
                continue
            } else if rejections.count < maximumConnectors {
                let path = Bytes(directory.path.array + [UInt8(ascii: "/")] + file)
                rejections.append(Rejection(path: path, reason: .badName))
            }
        }
        return rejections
    }

    /// Whether it is the name of a connector's signature, which belongs beside the executable.
    private static func isSignature(_ rest: ArraySlice<UInt8>) -> Bool {
        SignatureFile.suffixes.contains { suffix in
            let name = rest.dropLast(suffix.utf8.count)
            return name.count + suffix.utf8.count == rest.count
                && rest.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
                && ConnectorName(String(decoding: name, as: UTF8.self)) != nil
        }
    }
}
