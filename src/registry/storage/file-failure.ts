import { messageOf, systemCodeOf } from "../../base/errors.ts";
import { StorageError, type StoragePath } from "../storage-driver.ts";
import { type FailureOfOne, wrongKinds } from "./file-steps.ts";

const freeSpace = "free some space on the volume of the storage directory";

/** What a failed system call on `path` means; errors that are none of the system's are kept. */
export function failureAt(path: StoragePath, error: unknown): unknown {
  if (error instanceof StorageError) return error;
  switch (systemCodeOf(error)) {
    case undefined:
      return error;
    case "ENOENT":
    case "ENOTDIR":
      return new StorageError("NOT_FOUND", `there is no ${path}`, { cause: error });
    case "ENOSPC":
    case "EDQUOT":
      return new StorageError("NO_SPACE", `no space is left to write ${path}`, {
        cause: error,
        hint: freeSpace,
      });
    case "EROFS":
    case "EACCES":
    case "EPERM":
      return new StorageError("READ_ONLY", `${path} may not be changed: ${messageOf(error)}`, {
        cause: error,
        hint: "check the owner, the mode and the mount of the storage directory",
      });
    case "EISDIR":
    case "ELOOP":
    case "ESPIPE":
    case "ENXIO":
      return new StorageError("UNAVAILABLE", `${path} is not the file that belongs there`, {
        cause: error,
        hint: "move what is in its place out of the storage directory",
      });
    default:
      return new StorageError("UNAVAILABLE", `${path}: ${messageOf(error)}`, {
        cause: error,
        hint: "check the health of the storage directory's volume",
      });
  }
}

export async function told<Result>(
  path: StoragePath,
  work: () => Promise<Result>,
): Promise<Result> {
  return await toldOf({ root: "", paths: [path] }, work);
}

/** What fails below `root` is told of the file that it is about; of the first where that is unknown. */
export async function toldOf<Result>(
  { root, paths: [first = "/"] }: { root: string; paths: readonly StoragePath[] },
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const { place } = error as FailureOfOne;
    const isInside = root !== "" && place?.startsWith(`${root}/`);
    throw failureAt(isInside ? (place?.slice(root.length) as StoragePath) : first, error);
  }
}

/** Also of what is no file at all, and of links that lead in a circle: one of these stops nobody. */
export function isAbsence(failure: unknown): boolean {
  if (!(failure instanceof StorageError)) return false;
  return failure.code === "NOT_FOUND" || wrongKinds.includes(systemCodeOf(failure.cause) ?? "");
}

/** Of the directory in which all is stored. */
export function unusable(directory: string, mode: "read" | "write", error: unknown): StorageError {
  const code = systemCodeOf(error) ?? "unknown";
  const failure = failureAt("/", error);
  return new StorageError(
    failure instanceof StorageError && failure.code === "READ_ONLY" ? "READ_ONLY" : "UNAVAILABLE",
    `the storage directory ${directory} cannot be used: ${code}`,
    { cause: error, hint: hintFor(code, mode) },
  );
}

function hintFor(code: string, mode: "read" | "write"): string {
  if (code === "EROFS") return "set storage.maintenance.readonly.enabled: true";
  const isFile = ["EEXIST", "ENOTDIR"].includes(code);
  const how = isFile ? "move the file in its way" : `give this user the right to ${mode} it`;
  return `${how}, or set storage.filesystem.rootdirectory`;
}
