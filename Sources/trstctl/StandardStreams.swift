import Glibc

/// Descriptors 0, 1 and 2, as this process was given them.
enum StandardStreams {
    /// Puts something into those that are closed: the next file that is opened would get the number, and what is printed
    /// would be written into the audit log or the state.
    ///
    /// Readable only, so that writing to it fails as it would have.
    static func fill() {
        for number: Int32 in 0...2 where fcntl(number, F_GETFD) == -1 {
            // open(2): the lowest number that is free, and those below are not.
            _ = open("/dev/null", O_RDONLY)
        }
    }
}
