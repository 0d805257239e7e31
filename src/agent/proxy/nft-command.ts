import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { type Call, withTimeout } from "../../base/call.ts";
import { linesOf } from "../../base/lines.ts";
import { ProxyError } from "./proxy-protocol.ts";

const limitMs = 10_000;
const longestLine = 4_096;
/** Of a shell. */
const notFound = 127;

/** Runs nft, with `script` as what it reads. @returns what it prints. @throws {ProxyError} `REFUSED` */
export async function askNft(args: readonly string[], call: Call, script = ""): Promise<string> {
  return withTimeout("nft", limitMs, call, async (limited) => {
    const child = started("nft", args, limited, script);
    const all = Promise.all([text(child.stdout), text(child.stderr), statusOf(child)]);
    const [output, said, status] = await all.catch((error) => {
      limited.signal.throwIfAborted();
      throw error;
    });
    if (status !== 0) throw refusal("nft", said, status);
    return output;
  });
}

/** Hands each line that conntrack prints to `take`. @throws {ProxyError} `REFUSED` */
export async function readConntrack(
  args: readonly string[],
  take: (line: string) => void,
  call: Call,
): Promise<void> {
  await withTimeout("conntrack", limitMs, call, async (limited) => {
    const child = started("conntrack", args, limited);
    const reading = async () => {
      for await (const line of linesOf(child.stdout, longestLine)) take(line);
    };
    const all = Promise.all([reading(), text(child.stderr), statusOf(child)]);
    const [, said, status] = await all.catch((error) => {
      limited.signal.throwIfAborted();
      throw error;
    });
    if (status !== 0) throw refusal("conntrack", said, status);
  });
}

/** Both are where only root looks, as a rule. */
const shell = 'PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C exec "$0" "$@"';

function started(program: string, args: readonly string[], { signal }: Call, input = "") {
  signal.throwIfAborted();
  const options = { signal, killSignal: "SIGKILL", stdio: "pipe" } as const;
  const child = spawn("/bin/sh", ["-c", shell, program, ...args], options);
  child.stdin.on("error", () => {}); // it has ended, and says why
  child.stdin.end(input);
  return child;
}

function statusOf(child: ChildProcessWithoutNullStreams): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
}

const meanings: readonly [RegExp, string][] = [
  [
    /not permitted|permission denied|must be root/i,
    "run dewy as root, or give its unit AmbientCapabilities=CAP_NET_ADMIN",
  ],
  [
    /not supported|could not process rule: no such file|syntax error/i,
    "use Linux 5.10 with nf_tables and nf_nat, and nft 0.9.8, or newer ones; or --proxy built-in",
  ],
];

/** The first thing it says: what follows shows the place in a script that nobody has seen. */
function refusal(program: string, said: string, status: number | null): ProxyError {
  if (status === notFound) {
    return new ProxyError("REFUSED", `there is no ${program} on PATH`, {
      hint: `install it, as by apt install ${program === "nft" ? "nftables" : program}`,
    });
  }
  const [line = "it gave no reason"] = said.split("\n").filter((one) => one.trim() !== "");
  const [, hint] = meanings.find(([pattern]) => pattern.test(said)) ?? [];
  const plain = line.replace(/^\/dev\/stdin:[\d:-]+ /, "");
  return new ProxyError("REFUSED", `${program}: ${plain}`, { hint });
}
