import CTrstctlSystem
import Glibc
import TrstctlSystem

/// The name of a version of a directory: when it was made, and eight random hexadecimal digits.
///
/// For example `20270131T080000Z-5f3a9c01`. Nothing else is ever taken for a version: neither in a link's text nor
/// among what lies beside the versions.
struct VersionName: Hashable, Sendable, CustomStringConvertible {
    let bytes: Bytes

    /// Takes a name of this form; nil for any other text.
    init?(_ bytes: Bytes) {
        let form = Array("ddddddddTddddddZ-xxxxxxxx".utf8)
        let array = bytes.array
        guard array.count == form.count else { return nil }
        for (byte, kind) in zip(array, form) {
            switch kind {
            case UInt8(ascii: "d"): guard byte.isASCIIDigit else { return nil }
            case UInt8(ascii: "x"): guard byte.isASCIILowerHexadecimal else { return nil }
            default: guard byte == kind else { return nil }
            }
        }
        self.bytes = bytes
    }

    /// A name that is not in use.
    ///
    /// - Throws: when there is no randomness, or the clock is nowhere near the present.
    static func make() throws(SystemError) -> VersionName {
        var random: UInt32 = 0
        guard trstctl_random(&random, MemoryLayout.size(ofValue: random)) == 0 else { throw .last("getrandom") }
        let digits = String(random, radix: 16)
        let time = String(UTCTime(Int64(time(nil))).description.filter { $0 != "-" && $0 != ":" })
        let text = "\(time)-" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
        guard let name = VersionName(Bytes(text)) else { throw SystemError(stage: "the clock", errno: ERANGE) }
        return name
    }

    /// The name of the link, in the store, that is about to become the layout's.
    var link: Bytes { Bytes(bytes.array + Array(".link".utf8)) }

    var description: String { bytes.text ?? "" }
}
