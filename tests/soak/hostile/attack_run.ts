/**
 * One attack under way: its connections, and what it has found wrong.
 *
 * @module
 */

import { type Address, AttackConnection, type Protocol } from "./attack_connection.ts";
import type { Deployment } from "./deployment.ts";

/** Connections, complaints and notes of one attack. */
export class AttackRun {
  /** What the attack has found to be wrong. */
  readonly faults: string[] = [];
  /** What is worth telling about it. */
  readonly notes: string[] = [];
  readonly #connections = new Set<AttackConnection>();
  readonly #address: Address;

  constructor(readonly deployment: Deployment) {
    this.#address = deployment.address;
  }

  /** Opens a connection, which is closed at the latest when the attack ends. */
  async connect(protocol?: Protocol): Promise<AttackConnection> {
    const connection = await AttackConnection.connect(this.#address, protocol);
    this.#connections.add(connection);
    return connection;
  }

  /** Opens as many connections. */
  async connectAll(count: number, protocol?: Protocol): Promise<AttackConnection[]> {
    const connections: AttackConnection[] = [];
    while (connections.length < count) connections.push(await this.connect(protocol));
    return connections;
  }

  /** Says that something is wrong, unless it was said. */
  fail(fault: string): void {
    if (!this.faults.includes(fault)) this.faults.push(fault);
  }

  /** Says something worth telling, unless it was said. */
  note(note: string): void {
    if (!this.notes.includes(note)) this.notes.push(note);
  }

  /** Closes all connections. */
  end(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }
}
