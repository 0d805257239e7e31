import type { SecureContext } from "node:tls";
import type { Environment } from "../../base/environment.ts";
import { ConfigError } from "../../base/errors.ts";
import { readTlsFiles } from "../../base/tls-files.ts";

/** Paths of PEM files. */
export interface GrpcTlsFiles {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

/** Goes to `tls.connect`; the private key is in there and cannot be read back. */
export interface GrpcTls {
  options: { secureContext: SecureContext };
}

/**
 * Reads who is trusted and, with `cert` and `key`, who we are.
 *
 * @throws {ConfigError} for files that cannot be read or do not belong together
 */
export async function readGrpcTls(files: GrpcTlsFiles, environment: Environment): Promise<GrpcTls> {
  if ((files.cert === undefined) !== (files.key === undefined)) {
    const [given, missing] = files.cert === undefined ? ["key", "cert"] : ["cert", "key"];
    throw new ConfigError(`--registry: there is a ${given}, and no ${missing} to it`, {
      hint: `add ${missing}=PATH, or leave ${given} out`,
    });
  }
  const named = (name: keyof GrpcTlsFiles) => {
    const path = files[name];
    return path === undefined ? undefined : { name: `--registry: ${name}`, path };
  };
  const each = { ca: named("ca"), cert: named("cert"), key: named("key") };
  return { options: { secureContext: await readTlsFiles(each, "--registry", environment) } };
}
