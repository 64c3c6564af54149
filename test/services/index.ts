import {startAzurite} from './azurite.js'
import {startDynalite} from './dynalite.js'
import {startFakeGcsServer} from './fake-gcs-server.js'
import {startMoto} from './moto.js'
import {startVersitygw} from './versitygw.js'

export type {Service} from './service.js'

const services = {
  azurite: startAzurite,
  dynalite: startDynalite,
  'fake-gcs-server': startFakeGcsServer,
  moto: startMoto,
  versitygw: startVersitygw,
}

export type ServiceName = keyof typeof services

/**
 * Starts a real server for a test and waits until it answers: `await using moto = await startService('moto')`. Whether it is
 * installed tells `needs('moto')`. It is empty, and ends when it is disposed of or when the test's process does.
 */
export function startService<Name extends ServiceName>(
  name: Name,
  ...options: Parameters<(typeof services)[Name]>
): ReturnType<(typeof services)[Name]> {
  const start = services[name] as (
    ...options: Parameters<(typeof services)[Name]>
  ) => ReturnType<(typeof services)[Name]>
  return start(...options)
}
