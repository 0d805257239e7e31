import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

export interface Certificate {
  /** Paths of PEM files. */
  cert: string;
  key: string;
  pem: { cert: Buffer; key: Buffer };
}

/** A certificate authority in a temporary directory. */
export interface Authority {
  ca: Certificate;
  /** Issues a certificate for the loopback host, or with `subject` for somebody else. */
  issue(name: string, subject?: string): Promise<Certificate>;
  close(): Promise<void>;
}

export async function openAuthority(): Promise<Authority> {
  const directory = await mkdtemp(join(tmpdir(), "dewy-certificates-"));
  const newKey = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
  const path = (name: string, ending: string) => join(directory, `${name}.${ending}`);
  await openssl(
    `req -x509 ${newKey} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem`,
    directory,
  );

  return {
    ca: await read("ca"),
    async issue(name, subject = "IP:127.0.0.1,DNS:localhost") {
      await writeFile(path(name, "ext"), `subjectAltName=${subject}\n`);
      await openssl(
        `req -new ${newKey} -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`,
        directory,
      );
      const signed = `-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ${name}.ext`;
      await openssl(`x509 -req -in ${name}.csr ${signed} -out ${name}.pem`, directory);
      return await read(name);
    },
    close: () => rm(directory, { recursive: true, force: true }),
  };

  async function read(name: string): Promise<Certificate> {
    const [cert, key] = [path(name, "pem"), path(name, "key")];
    return { cert, key, pem: { cert: await readFile(cert), key: await readFile(key) } };
  }
}

async function openssl(line: string, cwd: string): Promise<void> {
  await execute("openssl", line.split(" "), { cwd });
}
