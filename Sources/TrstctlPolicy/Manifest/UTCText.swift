import TrstctlSystem

/// An instant as a manifest has it: RFC 3339 in UTC, `2026-01-31T08:00:00Z`, or a date alone, `2026-01-31`.
package enum UTCText {
    /// Which second a date alone means.
    package enum Edge: Sendable {
        /// Its first second.
        case start
        /// Its last second.
        case end
    }

    /// The seconds since 1970, or nil when the text is neither of the two forms, or no day of the calendar.
    ///
    /// Years 1970 to 9999; no offsets, fractions or leap seconds.
    package static func seconds(_ text: String, _ edge: Edge) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 10 || bytes.count == 20, separators(bytes) else { return nil }
        guard let year = number(bytes[0..<4]), year >= 1970, let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]), (1...12).contains(month), day >= 1, day <= length(month, of: year)
        else { return nil }
        let midnight = days(year, month, day) * 86_400
        guard bytes.count == 20 else { return edge == .start ? midnight : midnight + 86_399 }
        guard let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
            let second = number(bytes[17..<19]), hour < 24, minute < 60, second < 60
        else { return nil }
        return midnight + hour * 3_600 + minute * 60 + second
    }

    private static func separators(_ bytes: [UInt8]) -> Bool {
        let marks: [(Int, Character)] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, "Z")]
        return marks.allSatisfy { $0.0 >= bytes.count || bytes[$0.0] == $0.1.asciiValue }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.allSatisfy(\.isASCIIDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 0x30) }
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }

    private static func length(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let years = (1970..<year).reduce(Int64(0)) { $0 + (isLeap($1) ? 366 : 365) }
        return (1..<month).reduce(years) { $0 + length($1, of: year) } + day - 1
    }
}
