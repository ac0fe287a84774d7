import Glibc
import TrstctlSystem

/// Reading what somebody may be writing at that moment.
extension ManifestFile {
    /// How often somebody who has the file open for writing is waited for, 10 ms each.
    private static let patience = 20
    /// Without a lease: how old a change must be before the bytes that were read count, in milliseconds.
    private static let settling: Int64 = 10

    /// Reads all bytes, none of them in the middle of a write.
    ///
    /// - Parameters:
    ///   - descriptor: open for reading only.
    ///   - status: of the file, from before.
    ///   - file: for errors.
    ///   - takesLease: false in a test of what happens where there are none.
    /// - Returns: the bytes.
    /// - Throws: `changedMeanwhile` when they could be a mixture.
    static func whole(
        _ descriptor: Int32, _ status: stat, file: String, takesLease: Bool = true
    ) throws(ManifestError) -> [UInt8] {
        guard takesLease, let lease = try lease(descriptor, file: file) else {
            let contents = try read(descriptor, file: file)
            try checkSettled(contents, status, of: descriptor, file: file)
            return contents
        }
        let contents = try read(descriptor, file: file)
        let after = try self.status(descriptor, file: file)
        _ = consume lease
        guard isSame(status, after) else { throw changed(file) }
        return contents
    }

    private static func lease(_ descriptor: Int32, file: String) throws(ManifestError) -> ReadLease? {
        for _ in 0..<patience {
            do throws(SystemError) {
                return try ReadLease.take(descriptor)
            } catch {
                usleep(10_000)
            }
        }
        throw changed(file)
    }

    /// Reads a file that was just changed again a little later, when it has to be the same.
    private static func checkSettled(
        _ contents: [UInt8], _ status: stat, of descriptor: Int32, file: String
    ) throws(ManifestError) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let seconds = Int64(now.tv_sec).subtractingReportingOverflow(Int64(status.st_mtim.tv_sec))
        // Also one from the future: the clocks of file servers differ.
        if !seconds.overflow, (-60...1).contains(seconds.partialValue) {
            let age = seconds.partialValue * 1_000 + Int64(now.tv_nsec - status.st_mtim.tv_nsec) / 1_000_000
            if age < settling {
                usleep(useconds_t((settling - max(0, age)) * 1_000))
                guard try read(descriptor, file: file) == contents else { throw changed(file) }
            }
        }
        guard isSame(status, try self.status(descriptor, file: file)) else { throw changed(file) }
    }
}
