/**
 * Reads certificates, keys, authorities and passwords again while a role runs.
 *
 * They are read as at the start. Content that would be refused there is refused here too: the previous content stays in
 * use, and the refusal is logged.
 *
 * @module
 */

import { dirname } from "@std/path";
import { messageOf, StartError } from "../errors.ts";
import { CERTIFICATE_RENEW_DAYS, SECRETS_FAULT_MS, SECRETS_POLL_MS } from "../limits.ts";
import { FileFollower, type FollowOptions } from "../route/file_follower.ts";
import { type LoadedAuthorities, readAuthorities } from "./certificate_files.ts";
import { type CheckedKeyPair, defaultCertificates, loadKeyPair, readDefaultPair } from "./certs.ts";
import { daysUntil, ExpiryWatch, formatMoment } from "./expiry.ts";
import { type LiveOptions, sameValues, type Values } from "./live_settings.ts";
import type { Logger } from "./logger.ts";
import { readPasswordFile } from "./password.ts";
import type { CertificatePaths } from "./state_folder.ts";

/** The source of a listener's certificate: two files, which may be the same, or the state folder. */
export type CertificateSource = { readonly cert: string; readonly key: string } | CertificatePaths;

/** The file of `--config`, and how to read it. */
interface Followed {
  readonly path: string | undefined;
  readonly values: Values;
  readonly reread: () => Values;
}

/** Follows the files of one role until it is closed. */
export class Reloading {
  readonly #logger: Logger;
  readonly #followers: Pick<FileFollower<unknown>, "reload" | "close">[] = [];
  readonly #expiries: ExpiryWatch[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Reads all files again, after a signal. */
  reload(): void {
    for (const follower of this.#followers) follower.reload();
  }

  /** Stops following, and resolves when no file is looked at any more. Idempotent. */
  async close(): Promise<void> {
    for (const each of this.#expiries) each.close();
    await Promise.all(this.#followers.map((each) => each.close()));
  }

  /**
   * Follows the certificate of a listener, warns before it expires, and renews it if it is in the state folder.
   *
   * @param current the certificate in use
   * @param apply uses another one; if it throws, the error is logged and the previous one stays in use
   */
  certificate(source: CertificateSource, current: CheckedKeyPair, apply: (pair: CheckedKeyPair) => void): void {
    const own = "authority" in source ? source : undefined;
    const what = `The certificate "${source.cert}"`;
    const expiry = this.#watchExpiry(what, current.expiresMs, own && (() => this.#renew(own, current.warnings)));
    const authority = this.#watchExpiry(`The authority "${own?.authority}"`, current.authorityExpiresMs);
    this.#follow({
      current,
      isSame: (one, other) => one.cert === other.cert && one.key === other.key,
      paths: [source.cert, source.key],
      name: `"${source.cert}"`,
      fallback: "the certificate in use stays",
      read: () => own ? readOwnPair(own) : loadKeyPair(source.cert, source.key),
      apply: (pair) => {
        apply(pair);
        const { expiresMs } = pair;
        const fields = { expires: formatMoment(expiresMs), days: daysUntil(expiresMs) };
        this.#logger.info(`${what} was replaced, new connections get the new one`, fields);
        for (const warning of pair.warnings) this.#logger.warn(warning);
        expiry.replace(expiresMs);
        authority.replace(pair.authorityExpiresMs);
      },
    });
  }

  /** Follows the authorities of `--ca`, and warns before one of them expires. */
  authorities(path: string, current: LoadedAuthorities, apply: (authorities: LoadedAuthorities) => void): void {
    const what = `A certificate in "${path}" of --ca`;
    const expiry = this.#watchExpiry(what, current.expiresMs);
    this.#follow({
      current,
      isSame: (one, other) => one.cert === other.cert,
      paths: [path],
      name: `"${path}"`,
      fallback: "the certificates in use stay",
      read: () => readAuthorities(path),
      apply: (authorities) => {
        apply(authorities);
        this.#logger.info(`The certificates in "${path}" of --ca were replaced`, { certificates: authorities.count });
        expiry.replace(authorities.expiresMs);
      },
    });
  }

  /** Follows the file of `--config`. Without one, nothing is followed. */
  options({ path, values, reread }: Followed, live: LiveOptions): void {
    if (path === undefined) return;
    this.#follow<Values>({
      current: values,
      isSame: sameValues,
      paths: [path],
      name: `"${path}"`,
      fallback: "the options in use stay",
      read: reread,
      apply: (values) => live.follow(values),
    });
  }

  /** Follows a file of passwords. */
  passwords(path: string, current: readonly string[], apply: (passwords: readonly string[]) => void): void {
    this.#follow({
      current,
      isSame: (one, other) => one.length === other.length && one.every((each, i) => each === other[i]),
      paths: [path],
      name: `"${path}"`,
      fallback: "the passwords in use stay",
      read: () => readPasswordFile(path),
      apply: (passwords) => {
        apply(passwords);
        this.#logger.info(`The password file "${path}" was replaced`, { passwords: passwords.length });
      },
    });
  }

  #follow<T>(
    options: Pick<FollowOptions<T>, "paths" | "name" | "fallback" | "current" | "isSame" | "apply"> & { read: () => T },
  ): void {
    this.#followers.push(
      new FileFollower({
        ...options,
        pollMs: SECRETS_POLL_MS,
        faultMs: SECRETS_FAULT_MS,
        read: () => {
          try {
            return { value: options.read() };
          } catch (error) {
            return { fault: messageOf(error) };
          }
        },
        report: (sentence) => this.#logger.warn(sentence),
      }),
    );
  }

  #watchExpiry(what: string, expiresMs: number | undefined, renew?: () => Promise<boolean>): ExpiryWatch {
    const watch = new ExpiryWatch({ what, expiresMs, warn: (sentence) => this.#logger.warn(sentence), renew });
    this.#expiries.push(watch);
    return watch;
  }

  /** Renews the state folder's certificate. The follower then notices the change. */
  async #renew({ authority }: CertificatePaths, reported: readonly string[]): Promise<boolean> {
    try {
      const { expiresMs, warnings } = await defaultCertificates(dirname(authority));
      for (const warning of warnings) if (!reported.includes(warning)) this.#logger.warn(warning);
      return daysUntil(expiresMs) >= CERTIFICATE_RENEW_DAYS;
    } catch (error) {
      this.#logger.warn(messageOf(error));
      return false;
    }
  }
}

function readOwnPair(paths: CertificatePaths): CheckedKeyPair {
  const pair = readDefaultPair(paths);
  if (pair !== undefined) return pair;
  throw new StartError(
    `Cannot use the certificate "${paths.cert}": its key or its authority is missing or another one`,
  );
}
