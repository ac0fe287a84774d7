import Glibc
import TrstctlPolicy
import TrstctlSystem

/// What the file effects say when the system refuses.
extension EffectError {
    /// Turns a failed system call on a file into the sentence that names the object and the remedy.
    ///
    /// The step is what was attempted, for example `cannot write`.
    static func file(_ step: String, _ path: AbsolutePath, errno: Int32) -> EffectError {
        let object = path.description
        let reason = SystemError(stage: step, errno: errno).reason
        switch errno {
        case ENOENT: return EffectError(.notFound, object: object, "\(object) does not exist")
        case EEXIST: return EffectError(.exists, object: object, "\(step) \(object): \(reason)")
        case ELOOP, EMLINK:
            return EffectError(
                .symbolicLink, object: object,
                "\(object) is, or goes through, a symbolic link below the granted directory, and links are not followed",
                fix: "grant the path that the link points to, and configure the connector with it")
        case EXDEV:
            return EffectError(
                .mountPoint, object: object, "\(object) lies on another mount below the granted directory",
                fix: "grant the directory of that mount itself")
        case ENOTDIR:
            return EffectError(
                .notRegular, object: object, "a directory on the way to \(object) is not a directory")
        case ENOSPC, EDQUOT:
            return EffectError(
                .noSpace, object: object, "\(step) \(object): \(reason)",
                fix: "free space: df -h \(path.parent ?? .root)")
        case EROFS:
            return EffectError(
                .readOnlyFileSystem, object: object, "\(step) \(object): the file system is mounted read-only",
                fix: "remount it read-write, or point the connector to another directory")
        case EACCES, EPERM:
            return EffectError(
                .noAccess, object: object, "\(step) \(object): \(reason), as user \(geteuid()) of the host",
                fix: "run trstctl as a user that may, or check: namei -l \(path)")
        default:
            return EffectError(.system, object: object, "\(step) \(object): \(reason)")
        }
    }

    static func noParent(_ path: AbsolutePath) -> EffectError {
        let parent = path.parent ?? .root
        return EffectError(
            .noParent, object: path.description,
            "the directory \(parent) does not exist, and the host makes no directories", fix: "mkdir -p \(parent)")
    }

    static func wrongTicket(_ ticket: FileTicket) -> EffectError {
        EffectError(
            .system, object: ticket.path.description,
            "a ticket for \(ticket.access.rawValue) was used for another effect")
    }
}
