import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planned } from "../../src/cli/main.fake.ts";
import { describeWith } from "../component.ts";

const execute = promisify(execFile);

/** What is typed, the last word being the one to complete, and what must and must not be offered. */
const cases: [string, string[], string[]][] = [
  ["dewy se", ["server"], ["assets"]],
  ["dewy ", ["server", "assets", "run", "config", "registry", "completion"], ["serve"]],
  ["dewy --log-l", ["--log-level"], ["--log-format"]],
  ["dewy registry ", ["serve", "token"], ["server"]],
  ["dewy registry token ", ["create", "list", "revoke"], ["serve", "token"]],
  ["dewy registry token create --", ["--repository", "--expires"], ["--port"]],
  ["dewy config ", ["check", "schema"], ["serve"]],
  ["dewy server --", ["--registry", "--drain-time", "--help"], ["--platform"]],
  ["dewy assets --", ["--registry", "--directory"], ["--port", "--drain-time"]],
  ["dewy push --", ["--platform", "--insecure"], ["--registry"]],
  ["dewy server --log-level ", ["debug", "info", "warn", "error"], ["server"]],
  ["dewy server -f j", ["json"], ["text"]],
  ["dewy --log-level debug se", ["server"], ["assets"]],
  ["dewy --log-level server as", ["assets"], ["server"]],
  ["dewy server --directory inside", ["inside-directory"], ["inside-file.yaml"]],
  ["dewy server --config inside", ["inside-file.yaml"], ["server"]],
  ["dewy run inside", ["inside-file.yaml"], ["server"]],
  ["dewy completion ", ["bash", "zsh", "fish"], ["server"]],
  ["dewy server --registry ", [], ["server", "--port"]],
];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "dewy-completion-"));
  await mkdir(join(directory, "inside-directory"));
  await writeFile(join(directory, "inside-file.yaml"), "");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describeWith("bash")("the completion for bash", () => {
  it.each(cases)("of %j offers %j, not %j", async (typed, offered, others) => {
    expectOffers(await offersOfBash(typed.split(" ")), offered, others);
  });

  it("knows the value that is joined to its option", async () => {
    const words = ["dewy", "server", "--log-format", "=", "j"];

    expect(await offersOfBash(words)).toEqual(["json"]);
  });
});

describeWith("fish")("the completion for fish", () => {
  it.each(cases)("of %j offers %j, not %j", async (typed, offered, others) => {
    expectOffers(await offersOfFish(typed), offered, others);
  });

  it("knows the value that is joined to its option", async () => {
    expect(await offersOfFish("dewy server --log-format=j")).toEqual(["--log-format=json"]);
  });
});

describeWith("zsh")("the completion for zsh", () => {
  it.each(cases)("of %j offers %j, not %j", async (typed, offered, others) => {
    expectOffers(await offersOfZsh(typed), offered, others);
  });
});

describe("dewy completion", () => {
  it.each([["completion"], ["completion tcsh"], ["completion bash zsh"]])(
    "refuses %j and names the shells it knows",
    async (line) => {
      const { status, noted } = await planned(line.split(" "));

      expect(status).toBe(2);
      expect(noted).toEqual([expect.stringMatching(/bash, zsh, fish|too many arguments/)]);
    },
  );
});

async function offersOfBash(words: string[]): Promise<string[]> {
  const program = `${await script("bash")}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
_dewy
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return linesOf("bash", ["--norc", "-c", program]);
}

async function offersOfFish(typed: string): Promise<string[]> {
  const program = `${await script("fish")}\ncomplete -C '${typed}'`;
  const lines = await linesOf("fish", ["--no-config", "-c", program]);
  return lines.map((line) => line.split("\t")[0] ?? "");
}

/** The words that zsh would insert: what `compadd` is given is looked at, before it is shown. */
async function offersOfZsh(typed: string): Promise<string[]> {
  const recording = `
autoload -Uz compinit && compinit -u -D
${await script("zsh")}
compadd() {
  local -a matches; builtin compadd -A matches "$@"
  (( \${#matches} )) && printf '%s\\n' "\${matches[@]}" >>"$OFFERS"
  builtin compadd "$@"
}
`;
  const startUp = join(directory, ".zshrc");
  const offers = join(directory, `offers-${cases.findIndex(([line]) => line === typed)}`);
  await writeFile(startUp, `${recording}PROMPT='ready> '\nunsetopt beep\n`);
  await writeFile(offers, "");
  const program = `
zmodload zsh/zpty
zpty shell "cd ${directory}; OFFERS=${offers} ZDOTDIR=${directory} TERM=dumb zsh -d -i"
zpty -r shell output '*ready> '
zpty -w -n shell '${typed}'$'\\t'$'\\025'"print d''one"$'\\n'
zpty -r shell output '*done*'
zpty -d shell
cat ${offers}`;
  return linesOf("zsh", ["-f", "-c", program]);
}

async function script(shell: string): Promise<string> {
  const { printed } = await planned(["completion", shell]);
  return printed.join("\n");
}

async function linesOf(program: string, args: string[]): Promise<string[]> {
  const { stdout } = await execute(program, args, { cwd: directory, timeout: 15_000 });
  return stdout.split("\n").filter((line) => line !== "");
}

function expectOffers(found: string[], offered: string[], others: string[]): void {
  const plain = found.map((word) => word.replace(/\/$/, ""));
  expect(plain).toEqual(expect.arrayContaining(offered));
  expect(plain.filter((word) => others.includes(word))).toEqual([]);
}
