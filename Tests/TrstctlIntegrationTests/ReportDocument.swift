import Foundation

/// Any JSON value, with whole numbers apart from truth values.
indirect enum JSONValue: Decodable {
    case string(String)
    case integer(Int64)
    case boolean(Bool)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }
}

/// The tables of `spec/reports.md`, and what they say about a report.
struct ReportDocument {
    private struct Member {
        var type: String
        var isOptional: Bool
    }

    /// By the heading of the table, in lower case, and by the member's name.
    private var tables: [String: [String: Member]] = [:]
    /// By command, the type of its result.
    private(set) var results: [String: String] = [:]
    /// The members that no report had so far, as `table.member`.
    private(set) var missing: Set<String> = []

    init() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../spec/reports.md").standardized
        var heading = ""
        for line in try String(contentsOf: path, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("## ") {
                heading = line.dropFirst(3).lowercased()
                tables[heading] = [:]
            }
            guard line.hasPrefix("|") else { continue }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
            let names = cells[0].split(separator: "`").enumerated().filter { $0.offset % 2 == 0 }
                .map { String($0.element) }
            guard cells[0].hasPrefix("`") || cells[0].hasPrefix("each"), cells.count == (heading.isEmpty ? 2 : 4) else {
                continue
            }
            for name in names {
                if heading.isEmpty {
                    results[name.hasPrefix("each") ? "error" : name] = cells[1]
                } else {
                    tables[heading]?[name] = Member(type: cells[1], isOptional: cells[3] != "never")
                    missing.insert("\(heading).\(name)")
                }
            }
        }
    }

    /// How a command's report differs from what the document says; empty when it does not.
    mutating func differences(_ command: String, _ report: JSONValue) -> [String] {
        guard let type = results[command] else { return ["\(command): not in the document"] }
        return differences(report, type, command)
    }

    private mutating func differences(_ value: JSONValue, _ type: String, _ place: String) -> [String] {
        switch value {
        case .string where type == "string", .integer where type == "integer", .boolean where type == "boolean":
            return []
        case .list(let elements) where type.hasPrefix("list of "):
            return elements.flatMap { differences($0, String(type.dropFirst(8)), "\(place)[]") }
        case .object(let members) where type.hasPrefix("map of "):
            return members.values.flatMap { differences($0, String(type.dropFirst(7)), "\(place).*") }
        case .object(let members):
            let name = String(type.dropFirst().prefix { $0 != "]" })
            guard type == "[\(name)](#\(name))", let table = tables[name] else { break }
            var found: [String] = []
            for (key, value) in members {
                missing.remove("\(name).\(key)")
                guard let member = table[key] else {
                    found.append("\(place).\(key) is not in the document")
                    continue
                }
                found += differences(value, member.type, "\(place).\(key)")
            }
            for (key, member) in table where !member.isOptional && members[key] == nil {
                found.append("\(place).\(key) is absent")
            }
            return found
        default: break
        }
        return ["\(place) is no \(type)"]
    }
}
