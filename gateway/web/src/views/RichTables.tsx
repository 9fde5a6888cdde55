// What only some hosts have, each in a table of its own that is absent where there is none of it:
// containers, graphics processors, disks that tell of themselves, units that failed.
import type { Container, Gpu, Sample, Services, SmartDisk } from '../io/contract';
import { bytes, bytesPerSecond, celsius, count, duration, orMissing, percent } from '../logic/format';

export function RichTables({ sample, smartDisks }: { sample: Sample; smartDisks: readonly SmartDisk[] }) {
  const { containers, gpus, services } = sample;
  return (
    <div className="tables">
      {containers.length > 0 && <ContainerTable containers={containers} />}
      {gpus.length > 0 && <GpuTable gpus={gpus} />}
      {smartDisks.length > 0 && <SmartTable disks={smartDisks} />}
      {services && <ServicesCard services={services} />}
    </div>
  );
}

function ContainerTable({ containers }: { containers: readonly Container[] }) {
  return (
    <section className="card table-card table-wide" aria-label="Containers">
      <h3>Containers</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className="wide-only">Image</th>
            <th scope="col">State</th>
            <th scope="col" className="number" title="100 % is one core">CPU</th>
            <th scope="col" className="number">Memory</th>
            <th scope="col" className="number wide-only">Network in</th>
            <th scope="col" className="number wide-only">out</th>
          </tr>
        </thead>
        <tbody>
          {containers.map((one) => (
            <tr key={one.id}>
              <th scope="row" className="ellipsis" title={`${one.name} (${one.id})`}>{one.name}</th>
              <td className="quiet ellipsis wide-only" title={one.image}>{one.image}</td>
              <td className={one.health === 'unhealthy' ? 'bad' : 'quiet'}>{one.health === '' ? one.state : `${one.state}, ${one.health}`}</td>
              <td className="number">{percent(one.cpu_percent)}</td>
              <td className="number" title={one.memory_limit_bytes > 0 ? `of ${bytes(one.memory_limit_bytes)}` : 'without a limit'}>{bytes(one.memory_bytes)}</td>
              <td className="number wide-only">{bytesPerSecond(one.rx_bytes_per_s)}</td>
              <td className="number wide-only">{bytesPerSecond(one.tx_bytes_per_s)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function GpuTable({ gpus }: { gpus: readonly Gpu[] }) {
  return (
    <section className="card table-card" aria-label="Graphics processors">
      <h3>Graphics processors</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" className="number">Used</th>
            <th scope="col" className="number">Memory</th>
            <th scope="col" className="number">Heat</th>
            <th scope="col" className="number wide-only">Power</th>
          </tr>
        </thead>
        <tbody>
          {gpus.map((gpu) => (
            <tr key={gpu.id}>
              <th scope="row" className="ellipsis" title={gpu.name}>{gpu.name}</th>
              <td className="number">{orMissing(gpu.utilisation_percent, percent)}</td>
              <td className="number">{orMissing(gpu.memory_used_bytes, bytes)}</td>
              <td className="number">{orMissing(gpu.celsius, celsius)}</td>
              <td className="number wide-only">{orMissing(gpu.power_watts, (watts) => `${watts.toFixed(0)} W`)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function SmartTable({ disks }: { disks: readonly SmartDisk[] }) {
  return (
    <section className="card table-card" aria-label="Health of the disks">
      <h3>Health of the disks</h3>
      <table className="plain-table">
        <thead>
          <tr>
            <th scope="col">Disk</th>
            <th scope="col">Health</th>
            <th scope="col" className="number" title="Share of the rated endurance that is used up">Worn</th>
            <th scope="col" className="number">Bad sectors</th>
            <th scope="col" className="number wide-only">Running for</th>
          </tr>
        </thead>
        <tbody>
          {disks.map((disk) => (
            <tr key={disk.device}>
              <th scope="row" className="ellipsis" title={`${disk.model} ${disk.serial}`}>{disk.device}</th>
              <td className={disk.passed ? 'good' : 'bad'}>{disk.passed ? 'passed' : 'failing'}</td>
              <td className="number">{orMissing(disk.wear_percent, percent)}</td>
              <td className="number">{orMissing(disk.bad_sectors, count)}</td>
              <td className="number wide-only">{orMissing(disk.power_on_hours, (hours) => duration(hours * 3_600_000))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ServicesCard({ services }: { services: Services }) {
  return (
    <section className="card table-card" aria-label="Services">
      <h3>Services</h3>
      <p className="table-words">
        {count(services.active)} active, <span className={services.failed > 0 ? 'bad' : 'good'}>{count(services.failed)} failed</span>
      </p>
      {services.failed_units.length > 0 && (
        <ul className="unit-list">
          {services.failed_units.map((unit) => (
            <li key={unit}>
              <code>{unit}</code>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
