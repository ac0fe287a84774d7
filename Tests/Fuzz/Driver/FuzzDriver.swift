import Glibc
import TrstctlFuzz

// <fuzzer/FuzzerInterface.h>: libFuzzer's own `main` as a function.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>,
    _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// Runs one entry under libFuzzer: `TRSTCTL_FUZZ_ENTRY=frame trstctl-fuzz [options of libFuzzer] [corpora]`.
@main
enum FuzzDriver {
    private static let entry: FuzzEntry = {
        let name = getenv("TRSTCTL_FUZZ_ENTRY").map { String(cString: $0) } ?? ""
        guard let entry = FuzzEntry(rawValue: name) else {
            let known = FuzzEntry.allCases.map(\.rawValue).joined(separator: ", ")
            fatalError("TRSTCTL_FUZZ_ENTRY has to be one of \(known), not \"\(name)\"")
        }
        return entry
    }()

    static func main() {
        _ = entry
        var count = CommandLine.argc
        var words = CommandLine.unsafeArgv
        exit(
            runDriver(&count, &words) { start, count in
                if let violation = FuzzDriver.entry.violation(Array(UnsafeBufferPointer(start: start, count: count))) {
                    fatalError(violation)
                }
                return 0
            })
    }
}
