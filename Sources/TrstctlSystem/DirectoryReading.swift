import Glibc

/// The names in a directory, one after the other: whoever made them may have made as many as they liked, so that who reads
/// them says when it is enough.
package struct DirectoryReading: ~Copyable {
    private let stream: OpaquePointer

    /// Reads from the beginning, with a place of its own: the same descriptor may be read by others meanwhile.
    ///
    /// - Parameter directory: open for reading or as a path.
    /// - Throws: what openat(2) says, `EACCES` for one that may not be read now.
    package init(of directory: Int32) throws(SystemError) {
        try self.init(
            taking: retryingInterrupts("openat", ".") {
                openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            })
    }

    /// Reads from the beginning by the descriptor's own place, whatever the directory's mode has become.
    ///
    /// - Parameter directory: open for reading; nobody else reads it meanwhile.
    /// - Throws: what fcntl(2) says.
    package init(sharing directory: Int32) throws(SystemError) {
        try self.init(
            taking: retryingInterrupts("fcntl(F_DUPFD_CLOEXEC)") { fcntl(directory, F_DUPFD_CLOEXEC, 3) })
        rewinddir(stream)
    }

    /// Reads from the beginning.
    ///
    /// - Parameter path: of the directory; a link is followed.
    /// - Throws: what open(2) says.
    package init(path: String) throws(SystemError) {
        try self.init(
            taking: retryingInterrupts("opendir", path) { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    }

    private init(taking descriptor: Int32) throws(SystemError) {
        guard let stream = fdopendir(descriptor) else {
            let error = SystemError.last("fdopendir")
            close(descriptor)
            throw error
        }
        self.stream = stream
    }

    deinit { closedir(stream) }

    /// The next name, without `.` and `..`; nil at the end.
    ///
    /// - Returns: the bytes, in the order of the file system.
    /// - Throws: what readdir(3) says.
    package borrowing func next() throws(SystemError) -> Bytes? {
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw SystemError.last("readdir") }
                return nil
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Bytes(Array($0.prefix { $0 != 0 })) }
            if name != ".", name != ".." { return name }
        }
    }
}
