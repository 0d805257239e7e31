/** What gpgv thinks of a signature file. */
export type GpgVerdict =
  | { outcome: "good"; fingerprint: string; signedAt: Date }
  | { outcome: "bad" }
  | { outcome: "unknown"; keyId: string }
  /** By a trusted key that has expired or was revoked, or past its own end. */
  | { outcome: "ended"; why: string }
  | { outcome: "unusable"; why: string };

type Words = readonly string[];

const ends: Readonly<Record<string, string>> = {
  EXPSIG: "the signature has expired",
  EXPKEYSIG: "the key that signed it has expired",
  REVKEYSIG: "the key that signed it was revoked",
};
/** Of a file's bytes, or of its text: not of a key, nor of nothing at all. */
const classes = ["00", "01"];

/**
 * Reads the lines that gpgv writes for programs. One signature that is good is enough, beside those of
 * keys nobody has asked for; one that is of other bytes spoils all.
 */
export function verdictOf(status: string, said: string): GpgVerdict {
  const lines = status
    .split("\n")
    .filter((line) => line.startsWith("[GNUPG:] "))
    .map((line) => line.slice("[GNUPG:] ".length).split(" "));
  const named = (keyword: string) => lines.filter(([word]) => word === keyword);

  if (named("BADSIG").length > 0) return { outcome: "bad" };
  const good = signatures(lines).flatMap((one) => goodIn(one) ?? []);
  if (good[0]) return good[0];
  for (const [word = "", keyId] of lines) {
    const why = ends[word];
    if (why !== undefined) return { outcome: "ended", why: `${why} (${keyId})` };
  }
  const [[, keyId] = []] = named("NO_PUBKEY");
  if (keyId !== undefined) return { outcome: "unknown", keyId };
  const why = said
    .trim()
    .split("\n")
    .at(-1)
    ?.replace(/^gpgv: /, "");
  return { outcome: "unusable", why: why || "it says nothing about it" };
}

/** The lines about each signature of the file. */
function signatures(lines: readonly Words[]): Words[][] {
  const found: Words[][] = [];
  for (const line of lines) {
    if (line[0] === "NEWSIG") found.push([]);
    else found.at(-1)?.push(line);
  }
  return found;
}

function goodIn(lines: readonly Words[]): GpgVerdict | undefined {
  const valid = lines.find(([word]) => word === "VALIDSIG");
  if (!valid || !lines.some(([word]) => word === "GOODSIG")) return undefined;
  const [, own = "", , seconds = "", , , , , , kind = "", primary = own] = valid;
  if (!classes.includes(kind)) return undefined;
  return { outcome: "good", fingerprint: primary, signedAt: new Date(Number(seconds) * 1000) };
}
