import { type ExecFileException, execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Call } from "../../base/call.ts";
import { ConfigError, systemCodeOf } from "../../base/errors.ts";
import { type GpgVerdict, verdictOf } from "./gpg-status.ts";
import { isClearSigned, parseOpenPgp } from "./openpgp-format.ts";
import { type CheckSignature, type SignedContent, verifySigned } from "./signed-file.ts";
import type { SignatureKind, VerifyKey } from "./verifier.ts";
import { VerifyError } from "./verify-error.ts";

const program = "gpgv";
const mostOutput = 1024 * 1024;

/** `NAME.asc`, `NAME.sig`: detached signatures of GnuPG and whoever else writes OpenPGP. */
export const gpg: SignatureKind = {
  name: "gpg",

  takes: (key) => keyIn(key) !== undefined,

  async open({ keys }) {
    const rings = keys.flatMap((key) => keyIn(key) ?? []);
    if (rings.length === 0) return undefined;
    await checkProgram();
    const keyring = Buffer.concat(rings);
    return (subject, call) => verifySigned(subject, [".asc", ".sig"], checkedBy(keyring), call);
  },
};

function keyIn({ bytes }: VerifyKey): Buffer | undefined {
  const file = parseOpenPgp(bytes);
  return file?.kind === "public key" ? file.bytes : undefined;
}

async function checkProgram(): Promise<void> {
  const { error } = await run(["--version"], new AbortController());
  if (!error) return;
  const isMissing = systemCodeOf(error) === "ENOENT";
  throw new ConfigError(
    `--verify-key: ${program} ${isMissing ? "is not on PATH" : "cannot be run"}, and a key of OpenPGP needs it`,
    { cause: error, hint: `install the package ${program}, or sign by minisign or cosign` },
  );
}

function checkedBy(keyring: Buffer): CheckSignature {
  return async (content, { name, bytes }, call) => {
    const signature = parseOpenPgp(bytes);
    if (signature?.kind !== "signature" || isClearSigned(bytes)) {
      if (name.endsWith(".sig") && !signature) return undefined; // cosign's have that name too
      throw unreadable(name, content.name, bytes);
    }
    const verdict = await judged(keyring, signature.bytes, content, call);
    if (verdict.outcome === "good") {
      return { by: `key ${verdict.fingerprint}`, signedAt: verdict.signedAt };
    }
    throw refusal(verdict, name, content.name);
  };
}

/** Nothing but the given keys counts, and nothing of the user's own. */
async function judged(
  keyring: Buffer,
  signature: Buffer,
  content: SignedContent,
  call: Call,
): Promise<GpgVerdict> {
  const home = await mkdtemp(join(tmpdir(), "dewy-gpg-"));
  const inHome = async (name: string, bytes: Buffer) => {
    await writeFile(join(home, name), bytes, { mode: 0o600 });
    return join(home, name);
  };
  try {
    const [ring, signed, file] = await Promise.all([
      inHome("keyring.gpg", keyring),
      inHome("signature", signature),
      content.bytes ? inHome("content", content.bytes) : content.file.path,
    ]);
    const { error, status, said } = await run(
      [
        ...["--homedir", home, "--keyring", ring, "--weak-digest", "SHA1"],
        ...["--status-fd", "1", "--", signed, file],
      ],
      call,
    );
    call.signal.throwIfAborted();
    // It could not be started, or was killed: that is no word about the signature.
    if (systemCodeOf(error) !== undefined || error?.signal) throw error;
    return verdictOf(status, said);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

interface Ran {
  error: ExecFileException | null;
  status: string;
  said: string;
}

/** Its exit status says less than what it writes. */
function run(words: readonly string[], { signal }: Call): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(program, words, { signal, maxBuffer: mostOutput }, (error, status, said) =>
      resolve({ error, status, said }),
    );
  });
}

function unreadable(name: string, content: string, bytes: Buffer): VerifyError {
  const what = isClearSigned(bytes) ? "holds its text itself" : "is no signature of OpenPGP";
  return new VerifyError("UNUSABLE", `${name} ${what}, and none of ${content}`, {
    hint: `make it by gpg --armor --detach-sign ${content}`,
  });
}

function refusal(verdict: Exclude<GpgVerdict, { outcome: "good" }>, name: string, content: string) {
  if (verdict.outcome === "bad") {
    return new VerifyError("MISMATCH", `${name} is no signature of this ${content}`, {
      hint: "find out who changed it; sign it again and release it under a new tag if it was you",
    });
  }
  if (verdict.outcome === "unknown") {
    const message = `${name} is signed by the key ${verdict.keyId}, which is not among those of --verify-key`;
    return new VerifyError("UNTRUSTED", message, {
      hint: "give the key by --verify-key if it is the publisher's new one",
    });
  }
  if (verdict.outcome === "ended") {
    return new VerifyError("UNTRUSTED", `${name}: ${verdict.why}`, {
      hint: "export the key again if it was extended, or sign anew by one that is valid",
    });
  }
  return new VerifyError("UNUSABLE", `${name} cannot be checked by ${program}: ${verdict.why}`, {
    hint: `look at it by gpg --list-packets ${name}`,
  });
}
