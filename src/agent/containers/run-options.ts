import { ConfigError } from "../../base/errors.ts";

/** What is after `--`, checked. */
export interface RunOptions {
  /** For the engine's `run`. */
  options: string[];
  /** What the containers' names begin with, where `--name` was among them. */
  name: string | undefined;
}

/** Long options without a value, of Docker's and Podman's `run`. */
const switches = new Set([
  "detach",
  "disable-content-trust",
  "env-host",
  "help",
  "http-proxy",
  "init",
  "interactive",
  "no-healthcheck",
  "no-hostname",
  "no-hosts",
  "oom-kill-disable",
  "passwd",
  "privileged",
  "publish-all",
  "quiet",
  "read-only",
  "read-only-tmpfs",
  "replace",
  "rm",
  "rmi",
  "rootfs",
  "sig-proxy",
  "tls-verify",
  "tty",
  "unsetenv-all",
]);

const longNames: Record<string, string> = {
  a: "attach",
  c: "cpu-shares",
  d: "detach",
  e: "env",
  h: "hostname",
  i: "interactive",
  l: "label",
  m: "memory",
  P: "publish-all",
  p: "publish",
  q: "quiet",
  t: "tty",
  u: "user",
  v: "volume",
  w: "workdir",
};

const dewyDoes = "dewy decides about that itself";
const tooMuch = "a container must not get so much of the host";

/** Those of the original's list, and what would take a container from dewy's sight. */
const refused: Record<string, string> = {
  attach: dewyDoes,
  cidfile: dewyDoes,
  detach: dewyDoes,
  "detach-keys": dewyDoes,
  help: "ask the engine itself",
  interactive: "nobody is there to type",
  tty: "nobody is there to type",
  publish: "name ports by --port, so that dewy's proxy is before them",
  "publish-all": "name ports by --port, so that dewy's proxy is before them",
  "label-file": "write each label as --label key=value",
  replace: dewyDoes,
  rmi: dewyDoes,
  rootfs: "dewy runs images",
  pod: dewyDoes,
  privileged: tooMuch,
  pid: tooMuch,
  "cap-add": tooMuch,
  "security-opt": tooMuch,
  device: tooMuch,
  userns: tooMuch,
  cgroupns: tooMuch,
};

/**
 * Reads the words after `--` as the engine would: `-qd` is `-q` and `-d`, and `-e -p=1` gives `-e` a
 * value. An option that no list knows takes a value unless another option follows.
 *
 * @throws {ConfigError} for what dewy has to decide about, or no container of its may have
 */
export function parseRunOptions(words: readonly string[]): RunOptions {
  const parsed: RunOptions = { options: [], name: undefined };
  for (let place = 0; place < words.length; ) {
    const word = words[place] ?? "";
    if (word === "--" || !/^-./.test(word)) throw noOption(word);
    const taken = word.startsWith("--")
      ? longOption(word, words[place + 1])
      : shortOptions(word, words[place + 1]);
    for (const option of taken.options) accept(option, parsed);
    place += taken.count;
  }
  return parsed;
}

interface ParsedOption {
  name: string;
  value: string | undefined;
  written: string[];
}

interface Taken {
  options: ParsedOption[];
  /** Of words. */
  count: number;
}

function longOption(word: string, next: string | undefined): Taken {
  const [, name = "", value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
  if (value !== undefined || switches.has(name)) {
    return { options: [{ name, value, written: [word] }], count: 1 };
  }
  const isKnown = Object.values(longNames).includes(name);
  if (next === undefined) throw noValue(word);
  if (!isKnown && /^--?[a-z]/i.test(next)) {
    return { options: [{ name, value: undefined, written: [word] }], count: 1 };
  }
  return { options: [{ name, value: next, written: [word, next] }], count: 2 };
}

/** `-it`, `-eA=1`, `-e A=1`: letters without a value, and at last one that may have one. */
function shortOptions(word: string, next: string | undefined): Taken {
  const options: ParsedOption[] = [];
  for (let place = 1; place < word.length; place++) {
    const letter = word[place] ?? "";
    const name = longNames[letter];
    if (name === undefined) {
      throw new ConfigError(`${word}: no engine has an option -${letter}`, {
        hint: "what is after -- is for the engine's run, and the image's arguments go to --cmd",
      });
    }
    if (switches.has(name)) {
      options.push({ name, value: undefined, written: [`-${letter}`] });
      continue;
    }
    const joined = word.slice(place + 1).replace(/^=/, "");
    if (joined !== "") {
      options.push({ name, value: joined, written: [`-${letter}`, joined] });
      return { options, count: 1 };
    }
    if (next === undefined) throw noValue(`-${letter}`);
    options.push({ name, value: next, written: [`-${letter}`, next] });
    return { options, count: 2 };
  }
  return { options, count: 1 };
}

function accept({ name, value, written }: ParsedOption, parsed: RunOptions): void {
  const why = Object.hasOwn(refused, name) ? refused[name] : undefined;
  if (why !== undefined) {
    throw new ConfigError(`--${name} cannot be given to a container of dewy's`, {
      hint: `leave it out: ${why}`,
    });
  }
  if (name === "label" && /^dewy\./.test(value ?? "")) {
    throw new ConfigError(
      `--label ${value?.split("=")[0]}: labels that begin with dewy. are dewy's`,
      {
        hint: "choose another name",
      },
    );
  }
  if (name === "name") {
    if (!/^[a-zA-Z0-9][\w.-]*$/.test(value ?? "")) {
      throw new ConfigError(
        `--name ${value ?? ""}: containers are named by letters, digits, _ . -`,
      );
    }
    parsed.name = value;
    return;
  }
  // A container that has ended is removed by dewy, once it has looked at why.
  if (name === "rm") return;
  parsed.options.push(...written);
}

function noOption(word: string): ConfigError {
  return new ConfigError(`${word}: what is after -- are options of the engine's run`, {
    hint: "give the container a command by --cmd, once for each word",
  });
}

function noValue(word: string): ConfigError {
  return new ConfigError(`${word} has no value`, { hint: `write it as ${word} VALUE` });
}
