//! Severity of single lines in the formats people have.

use muster_schemas::logs::Severity::{self, Critical, Error, Failure, Info, Warn};

use super::super::read_line;
use super::{CLOCK, scan};

/// Each line by itself, and in a file where it must be found by the bulk search.
pub(super) fn check(cases: &[(&str, Severity)]) {
    let mut wrong = Vec::new();
    for (line, severity) in cases {
        let read = read_line(line.as_bytes(), "/var/log/shop/orders.log", CLOCK).severity;
        if read != *severity {
            wrong.push(format!("{read:?} instead of {severity:?}: {line}"));
        }
        let text = format!("first\n{line}\n");
        for least in [Error, Warn] {
            let found: Vec<_> =
                scan(text.as_bytes(), least).iter().map(|f| f.line.severity).collect();
            let expected: Vec<_> = (*severity <= least).then_some(*severity).into_iter().collect();
            if found != expected {
                wrong.push(format!("found {found:?} at {least:?} instead of {expected:?}: {line}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn syslog_with_a_priority_has_its_level() {
    check(&[
        ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8", Critical),
        ("<13>Oct 11 22:14:15 web-3 app[12]: error while reading", Info),
        ("<3>usb 1-1: device descriptor read/64", Error),
        ("<12>Nov 21 12:00:00 web-3 ntpd[4]: clock drifts", Warn),
        ("<165>1 2026-11-21T12:00:00.003Z web-3 evntslog - ID47 [x@32473 a=\"b\"] failed", Info),
        ("<131>1 2026-11-21T12:00:00.003Z web-3 shop 812 - - order lost", Error),
        ("<190>1 - - - - - - nothing", Info),
        ("<10>1 2026-11-21T12:00:00Z h a - - [id k=\"a \\] b\"][c d=\"e\"] text", Critical),
    ]);
}

#[test]
fn syslog_without_a_priority_speaks_in_words() {
    check(&[
        (
            "Nov 21 12:00:00 web-3 sshd[811]: Failed password for root from 10.0.0.9 port 4 ssh2",
            Failure,
        ),
        ("Nov 21 12:00:00 web-3 sshd[811]: Accepted publickey for root from 10.0.0.9", Info),
        ("Nov 21 12:00:00 web-3 sshd[811]: error: maximum authentication attempts exceeded", Error),
        (
            "Nov 21 12:00:00 web-3 sshd[811]: fatal: Write failed: Connection reset by peer",
            Critical,
        ),
        (
            "Nov 21 12:00:00 web-3 sshd(pam_unix)[81]: authentication failure; logname= uid=0",
            Failure,
        ),
        ("Nov 21 12:00:00 web-3 kernel: [  12.34] EXT4-fs error (device sda1): bad block", Error),
        ("Nov 21 12:00:00 web-3 kernel: [  12.34] Kernel panic - not syncing: VFS", Critical),
        ("Nov 21 12:00:00 web-3 kernel: Buffer I/O error on dev sdb, logical block 0", Error),
        ("Nov 21 12:00:00 web-3 kernel: usb 1-1: device descriptor read/64, error -71", Error),
        (
            "Nov 21 12:00:00 web-3 systemd[1]: shop.service: Failed with result 'exit-code'.",
            Failure,
        ),
        (
            "Nov 21 12:00:00 web-3 systemd[1]: a.service: Main process exited, code=exited, status=1/FAILURE",
            Failure,
        ),
        ("Nov 21 12:00:00 web-3 systemd[1]: Started Session 4 of user root.", Info),
        ("2026-11-21T12:00:00.123456+00:00 web-3 cron[7]: pam: session failed to open", Failure),
        (
            "Nov 21 12:00:00 web-3 dockerd[9]: time=\"2026-11-21T12:00:00Z\" level=info msg=\"no error\"",
            Info,
        ),
        (
            "Nov 21 12:00:00 web-3 kubelet[9]: E1121 12:00:00.123456    9 kubelet.go:12] node not found",
            Error,
        ),
        (
            "Nov 21 12:00:00 web-3 kubelet[9]: I1121 12:00:00.123456    9 kubelet.go:12] error was gone",
            Info,
        ),
        ("Nov 21 12:00:00 h app[1]: {\"level\":\"info\",\"msg\":\"failed\"}", Info),
        ("Nov 21 12:00:00 web-3 Foo[123] <Error>: could not open", Error),
        ("Nov 21 12:00:00 web-3 Foo[123] (com.a.b): service exited", Info),
        ("Nov 21 12:00:00 web-3 last message repeated 2 times", Info),
        (
            "type=USER_AUTH msg=audit(1364481363.243:24287): acct=\"root\" exe=\"/usr/sbin/sshd\" res=failed'",
            Failure,
        ),
        ("type=USER_AUTH msg=audit(1364481363.243:24287): acct=\"root\" res=success'", Info),
        ("Nov 21 12:00:00 sw-1 45: %LINK-3-UPDOWN: Interface Fa0/1, changed state to up", Error),
    ]);
}

#[test]
fn web_servers_are_judged_by_the_answer_or_the_level() {
    check(&[
        (
            "10.0.0.1 - - [21/Nov/2026:12:00:00 +0000] \"GET /error/fatal HTTP/1.1\" 200 12 \"-\" \"panic/1\"",
            Info,
        ),
        ("10.0.0.1 - bob [21/Nov/2026:12:00:00 +0000] \"GET /x HTTP/1.1\" 503 12", Error),
        ("10.0.0.1 - - [21/Nov/2026:12:00:00 +0000] \"GET /a\\\" 500 HTTP/1.1\" 404 12", Info),
        (
            "shop.example:443 ::1 - - [21/Nov/2026:12:00:00 +0000] \"POST / HTTP/2\" 500 12 \"-\" \"curl\"",
            Error,
        ),
        ("10.0.0.1 - - [21/Nov/2026:12:00:00 +0000] \"-\" 408 0 \"-\" \"failed error\"", Info),
        (
            "2026/11/21 12:00:00 [error] 12#12: *1 open() \"/a/b\" failed (2: No such file), client: 1.2.3.4",
            Error,
        ),
        (
            "2026/11/21 12:00:00 [emerg] 12#12: bind() to 0.0.0.0:80 failed (98: Address in use)",
            Critical,
        ),
        (
            "2026/11/21 12:00:00 [warn] 12#12: conflicting server name \"error\" on 0.0.0.0:80, ignored",
            Warn,
        ),
        ("2026/11/21 12:00:00 [notice] 12#12: signal 17 (SIGCHLD) received, error", Info),
        (
            "[Mon Nov 21 12:00:00 2026] [error] [client 1.2.3.4] File does not exist: /a/favicon.ico",
            Error,
        ),
        (
            "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok /etc/httpd/conf/error.properties",
            Info,
        ),
        (
            "[Mon Nov 21 12:00:00.123456 2026] [core:error] [pid 1:tid 2] [client ::1:1] AH00126: Invalid URI",
            Error,
        ),
        (
            "[Mon Nov 21 12:00:00.123456 2026] [mpm_event:notice] [pid 1:tid 2] AH00489: resuming after failed",
            Info,
        ),
        (
            "[Mon Nov 21 12:00:00.123456 2026] [ssl:warn] [pid 1] AH01909: server certificate error",
            Warn,
        ),
        ("[Mon Nov 21 12:00:00.123456 2026] [proxy:crit] [pid 1] no more workers", Critical),
        (
            "Nov 21 12:00:00 lb haproxy[1]: 10.0.1.2:33317 [21/Nov/2026:12:00:00.655] http-in st/s1 10/0/30/69/109 200 2750 - - ---- {} \"GET /error HTTP/1.1\"",
            Info,
        ),
        (
            "Nov 21 12:00:00 lb haproxy[1]: 10.0.1.2:33317 [21/Nov/2026:12:00:00.655] http-in st/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- {} \"GET / HTTP/1.1\"",
            Error,
        ),
        ("[GIN] 2026/11/21 - 07:40:12 | 500 |   1.2ms | 10.0.0.1 | GET      \"/x\"", Error),
        ("[GIN] 2026/11/21 - 07:40:12 |\u{1b}[97;41m 502 \u{1b}[0m| 5ms | ::1 | GET \"/\"", Error),
        ("[GIN] 2026/11/21 - 07:40:12 | 404 |   5.2ms | 10.0.0.1 | GET      \"/error\"", Info),
        ("[GIN] 2026/11/21 - 07:40:12 | 200 | 500.2ms | 10.0.0.1 | POST     \"/fatal\"", Info),
        ("[GIN-debug] [WARNING] Running in \"debug\" mode.", Warn),
        ("INFO:     127.0.0.1:1234 - \"GET /x HTTP/1.1\" 500 Internal Server Error", Info),
        ("INFO:     127.0.0.1:1234 - \"GET /error HTTP/1.1\" 200 OK", Info),
        ("ERROR:    Exception in ASGI application", Error),
        ("[ALERT] 324/120000 (12) : Starting frontend www: cannot bind socket", Critical),
        ("[WARNING] 324/120000 (12) : Server st/s1 is DOWN", Warn),
    ]);
}

#[test]
fn databases_have_their_level() {
    check(&[
        (
            "2026-11-21 12:00:00.123 UTC [12] LOG:  checkpoint complete: wrote 0 buffers, error none",
            Info,
        ),
        (
            "2026-11-21 12:00:00.123 UTC [12] bob@shop ERROR:  relation \"fatal\" does not exist at character 15",
            Error,
        ),
        (
            "2026-11-21 12:00:00 CET [12-1] app=psql,db=shop,client=[local] FATAL:  role \"x\" does not exist",
            Critical,
        ),
        ("2026-11-21 12:00:00.123 UTC [12] PANIC:  could not write to file", Critical),
        ("2026-11-21 12:00:00.123 UTC [12] WARNING:  there is already a transaction, error", Warn),
        ("2026-11-21 12:00:00.123 UTC [12] bob@shop STATEMENT:  SELECT error FROM failed", Info),
        ("2026-11-21 12:00:00.123 UTC [12] DETAIL:  Failed process was running: x", Info),
        ("2026-11-21T12:00:00.123456Z 0 [ERROR] [MY-010119] [Server] Aborting", Error),
        (
            "2026-11-21T12:00:00.123456Z 8 [Note] [MY-010] [Server] Access denied for user, error",
            Info,
        ),
        ("2026-11-21T12:00:00.123456Z 0 [System] [MY-010] [Server] ready, 0 failures", Info),
        (
            "2026-11-21 12:00:00 0 [Warning] Could not increase number of max_open_files, failed",
            Warn,
        ),
        ("261121 12:00:00 [ERROR] Can't open the table", Error),
        ("123:M 21 Nov 2026 12:00:00.123 # Error condition on socket for SYNC", Warn),
        ("123:M 21 Nov 2026 12:00:00.123 * Background saving failed", Info),
        (
            "{\"t\":{\"$date\":\"2026-11-21T12:00:00.123+00:00\"},\"s\":\"E\",\"c\":\"NETWORK\",\"id\":1,\"ctx\":\"a\",\"msg\":\"x\"}",
            Error,
        ),
        (
            "{\"t\":{\"$date\":\"2026-11-21T12:00:00.123+00:00\"},\"s\":\"I\",\"c\":\"NETWORK\",\"msg\":\"error\"}",
            Info,
        ),
        (
            "{\"t\":{\"$date\":\"2026-11-21T12:00:00.123+00:00\"},\"s\":\"F\",\"c\":\"-\",\"msg\":\"x\"}",
            Critical,
        ),
        ("2026-11-21T12:00:00.123+0000 E NETWORK  [conn1] cannot listen", Error),
        ("2026-11-21T12:00:00.123+0000 I COMMAND  [conn1] error in query", Info),
        ("[2026-11-21T12:00:00,123][ERROR][o.e.b.Bootstrap          ] [node-1] Exception", Error),
        (
            "[2026-11-21T12:00:00,123][WARN ][o.e.d.z.ZenDiscovery     ] [node-1] failed to connect",
            Warn,
        ),
    ]);
}

#[test]
fn java_has_its_level() {
    check(&[
        ("2026-11-21 12:00:00,123 INFO  [main] com.shop.Orders - error handler registered", Info),
        ("2026-11-21 12:00:00.123 ERROR 812 --- [nio-8080-exec-1] c.s.Orders : lost", Error),
        (
            "2026-11-21T12:00:00.123+01:00  WARN 812 --- [           main] c.s.Orders : failed twice",
            Warn,
        ),
        ("12:00:00.123 [main] DEBUG com.shop.Orders - fatal", Info),
        ("12:00:00.123 [http-nio-8080-exec-1] ERROR com.shop.Orders - x", Error),
        (
            "21-Nov-2026 12:00:00.123 SEVERE [main] org.apache.catalina.core.StandardService x",
            Error,
        ),
        ("21-Nov-2026 12:00:00.123 INFO [main] org.apache.catalina.startup.Catalina failed", Info),
        ("Nov 21, 2026 12:00:00 PM com.shop.Orders handle", Info),
        ("SEVERE: order lost", Error),
        ("WARNING: order failed", Warn),
        ("FATAL [main] com.shop.Orders - gone", Critical),
        (
            "2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - Notification time out",
            Info,
        ),
        (
            "2015-07-29 19:04:29,071 - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@688] - Send worker error",
            Warn,
        ),
        (
            "2015-07-29 19:04:29,071 - ERROR [LearnerHandler-/10.10.34.11:52225:LearnerHandler@562] - Unexpected exception",
            Error,
        ),
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: failed 0",
            Info,
        ),
        (
            "2015-10-18 18:06:26,123 ERROR [RMCommunicator Allocator] org.apache.hadoop.RMContainerAllocator: x",
            Error,
        ),
        (
            "2015-10-18 18:06:26,123 FATAL [Thread-1] org.apache.hadoop.mapred.YarnChild: x",
            Critical,
        ),
        (
            "17/06/09 20:10:40 INFO executor.CoarseGrainedExecutorBackend: Registered signal handlers",
            Info,
        ),
        ("17/06/09 20:10:40 ERROR executor.Executor: Exception in task 1.0", Error),
        (
            "081109 203518 143 INFO dfs.DataNode$DataXceiver: Receiving block blk_-1 src: /10.0.0.1",
            Info,
        ),
        (
            "081109 204655 556 WARN dfs.DataNode$DataXceiver: Got exception while serving blk_-1",
            Warn,
        ),
    ]);
}

#[test]
fn scripting_languages_have_their_level() {
    check(&[
        ("ERROR:root:could not read", Error),
        ("INFO:werkzeug:error page shown", Info),
        ("WARNING:urllib3.connectionpool:Retrying after failed", Warn),
        ("CRITICAL:app:gone", Critical),
        ("2026-11-21 12:00:00,123 - shop.orders - ERROR - lost", Error),
        ("2026-11-21 12:00:00,123 - shop.orders - INFO - failed 3 times before", Info),
        ("2026-11-21 12:00:00,123 [shop.orders] error: lost", Error),
        ("[2026-11-21 12:00:00 +0000] [12] [INFO] Worker failed to boot earlier", Info),
        ("[2026-11-21 12:00:00 +0000] [12] [CRITICAL] WORKER TIMEOUT (pid:13)", Critical),
        ("[E 2026-11-21 12:00:00.123 ServerApp] lost", Error),
        ("[I 2026-11-21 12:00:00.123 ServerApp] error", Info),
        ("[2026-11-21 12:00:00,123: ERROR/MainProcess] consumer: Cannot connect", Error),
        ("E, [2026-11-21T12:00:00.123456 #123] ERROR -- : lost", Error),
        ("I, [2026-11-21T12:00:00.123456 #123]  INFO -- : failed", Info),
        ("F, [2026-11-21T12:00:00.123456 #123] FATAL -- : x", Critical),
        ("PHP Fatal error:  Uncaught Exception: x in /a/b.php:3", Critical),
        (
            "[21-Nov-2026 12:00:00 UTC] PHP Warning:  fopen(): failed to open stream in /a.php on line 3",
            Warn,
        ),
        ("[21-Nov-2026 12:00:00] NOTICE: fpm is running, failed 0", Info),
        ("[21-Nov-2026 12:00:00] WARNING: [pool www] child 12 exited on signal 9", Warn),
        ("PHP Parse error:  syntax error, unexpected end of file in /a.php", Error),
        ("[2026-11-21 12:00:00] production.ERROR: lost {\"exception\":\"x\"}", Error),
        ("[2026-11-21 12:00:00] app.INFO: failed {} []", Info),
        ("2026-11-21 12:00:00.123 +00:00 [ERR] lost", Error),
        ("[12:00:00 FTL] lost", Critical),
        ("[12:00:00 INF] error", Info),
        ("fail: Microsoft.AspNetCore.Server.Kestrel[13]", Failure),
        ("{\"@t\":\"2026-11-21T12:00:00Z\",\"@mt\":\"error {x}\",\"@l\":\"Error\"}", Error),
        ("{\"@t\":\"2026-11-21T12:00:00Z\",\"@mt\":\"error {x}\"}", Info),
    ]);
}

#[test]
fn go_and_kubernetes_have_their_level() {
    check(&[
        (
            "{\"level\":\"error\",\"ts\":1795264000.123,\"caller\":\"a/b.go:3\",\"msg\":\"lost\"}",
            Error,
        ),
        ("{\"level\":\"info\",\"ts\":1795264000.123,\"msg\":\"error\",\"error\":\"failed\"}", Info),
        ("{\"level\":\"dpanic\",\"ts\":1795264000.123,\"msg\":\"x\"}", Critical),
        ("{\"level\":\"warning\",\"msg\":\"failed\",\"time\":\"2026-11-21T12:00:00Z\"}", Warn),
        ("{\"time\":\"2026-11-21T12:00:00.123Z\",\"level\":\"ERROR\",\"msg\":\"x\"}", Error),
        ("time=\"2026-11-21T12:00:00Z\" level=error msg=\"lost\"", Error),
        ("time=\"2026-11-21T12:00:00Z\" level=info msg=\"error: failed\" error=\"fatal\"", Info),
        ("time=2026-11-21T12:00:00.000Z level=WARN msg=\"failed\"", Warn),
        ("ts=2026-11-21T12:00:00.000Z caller=main.go:12 level=error component=tsdb msg=x", Error),
        ("t=2026-11-21T12:00:00+0000 lvl=eror msg=lost", Error),
        ("2026-11-21T12:00:00.123Z\tERROR\tzap/main.go:12\tlost\t{\"a\": 1}", Error),
        ("2026-11-21T12:00:00.123Z\tinfo\tzap/main.go:12\terror", Info),
        ("2026-11-21T12:00:00.123Z\twarn\tzap/main.go:12\tfailed", Warn),
        ("E1121 12:00:00.000000       1 reflector.go:12] watch ended", Error),
        ("W1121 12:00:00.000000       1 reflector.go:12] error watching", Warn),
        ("I1121 12:00:00.000000       1 reflector.go:12] failed, error", Info),
        ("F1121 12:00:00.000000       1 main.go:12] gone", Critical),
        ("2026-11-21T12:00:00.123456789Z stderr F E1121 12:00:00.0       1 a.go:1] x", Error),
        (
            "2026-11-21T12:00:00.123456789Z stdout F 10.0.0.1 - - [21/Nov/2026:12:00:00 +0000] \"GET /error HTTP/1.1\" 200 1",
            Info,
        ),
        ("2026-11-21T12:00:00.123456789Z stderr F order lost: connection failed", Failure),
        ("2026-11-21T12:00:00.123456789Z stdout F {\"level\":50,\"msg\":\"x\"}", Error),
        (
            "{\"log\":\"order failed\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T12:00:00.1Z\"}",
            Failure,
        ),
        (
            "{\"log\":\"E1121 12:00:00.000000 1 a.go:1] x\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T12:00:00.1Z\"}",
            Error,
        ),
        (
            "{\"log\":\"{\\\"level\\\":50,\\\"msg\\\":\\\"x\\\"}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T12:00:00Z\"}",
            Error,
        ),
        ("panic: runtime error: index out of range [3] with length 3", Critical),
        ("fatal error: all goroutines are asleep - deadlock!", Critical),
    ]);
}

#[test]
fn json_has_its_level_under_any_of_the_usual_names() {
    check(&[
        (
            "{\"level\":30,\"time\":1795264000123,\"pid\":1,\"hostname\":\"a\",\"msg\":\"error\"}",
            Info,
        ),
        ("{\"level\":60,\"time\":1795264000123,\"msg\":\"x\"}", Critical),
        ("{\"level\": 40, \"msg\": \"failed\"}", Warn),
        ("{\"version\":\"1.1\",\"host\":\"a\",\"short_message\":\"x\",\"level\":3}", Error),
        ("{\"version\":\"1.1\",\"host\":\"a\",\"short_message\":\"error\",\"level\":6}", Info),
        ("{\"severityText\":\"ERROR\",\"body\":\"x\"}", Error),
        ("{\"severityNumber\":17,\"body\":\"x\"}", Error),
        ("{\"severityNumber\":9,\"body\":\"error\"}", Info),
        ("{\"severity\":\"EMERGENCY\",\"message\":\"x\"}", Critical),
        ("{\"severity\":\"DEFAULT\",\"message\":\"error\"}", Info),
        (
            "{\"@timestamp\":\"2026-11-21T12:00:00Z\",\"log.level\":\"ERROR\",\"message\":\"x\"}",
            Error,
        ),
        (
            "{\"@timestamp\":\"2026-11-21T12:00:00Z\",\"log\":{\"level\":\"warn\"},\"message\":\"failed\"}",
            Warn,
        ),
        ("{\"levelname\":\"CRITICAL\",\"message\":\"x\"}", Critical),
        ("{\"message\":\"x\",\"error\":\"timeout\"}", Error),
        ("{\"message\":\"x\",\"error\":null,\"errors\":0,\"failed\":false}", Info),
        ("{\"message\":\"x\",\"error\":\"\"}", Info),
        ("{\"uri\":\"/error\",\"method\":\"GET\",\"status\":200}", Info),
        ("{\"uri\":\"/\",\"method\":\"GET\",\"status\":502}", Error),
        ("{\"level\":\"info\",\"status\":500,\"uri\":\"/\"}", Info),
    ]);
}

#[test]
fn other_systems_have_their_level() {
    check(&[
        (
            "2016-09-28 04:30:30, Info                  CBS    Failed to get next element [HRESULT = 0x800f080d]",
            Info,
        ),
        ("2016-09-28 04:30:30, Error                 CBS    Startup: x", Error),
        ("2016-09-28 04:30:30, Warning               CBS    failed", Warn),
        ("03-17 16:13:38.811  1702  2395 D WindowManager: error app wtoken = AppWindowToken", Info),
        ("03-17 16:13:38.811  1702  2395 E ActivityManager: ANR in com.shop", Error),
        ("03-17 16:13:38.811  1702  2395 W art     : Long monitor contention failed", Warn),
        ("03-17 16:13:38.811  1702  2395 F libc    : SIGSEGV", Critical),
        ("E/ActivityManager( 1702): ANR in com.shop", Error),
        ("I/ActivityManager( 1702): error gone", Info),
        (
            "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.osapi_compute.wsgi.server [req-3 - - -] 10.0.0.1 \"GET /v2/error HTTP/1.1\" status: 200 len: 1893",
            Info,
        ),
        (
            "nova-compute.log.1.2017-05-16_13:55:31 2017-05-16 00:00:04.500 2931 WARNING nova.compute.manager [req-3 - - -] failed",
            Warn,
        ),
        ("2017-05-16 00:00:04.500 2931 ERROR oslo_service.threadgroup [-] x", Error),
    ]);
}

#[test]
fn machines_and_monitors_have_their_level() {
    check(&[
        (
            "- 1117838570 2005.06.03 R02-M1-N0-C:J12-U11 2005-06-03-15.42.50.363779 R02-M1-N0-C:J12-U11 RAS KERNEL INFO instruction cache parity error corrected",
            Info,
        ),
        (
            "APPREAD 1117869872 2005.06.04 R04-M1-N4-I:J18-U11 2005-06-04-00.24.32.432192 R04-M1-N4-I:J18-U11 RAS APP FATAL ciod: failed to read message prefix",
            Critical,
        ),
        (
            "- 1118765360 2005.06.14 R22 2005-06-14-09.09.20.459609 R22 RAS MMCS ERROR idoproxydb hit ASSERT",
            Error,
        ),
        (
            "- 1118765360 2005.06.14 R22 2005-06-14-09.09.20.459609 R22 RAS BGLMASTER FAILURE mmcs_server exited",
            Failure,
        ),
        ("- 1118765360 2005.06.14 R22 2005-06-14-09.09.20.459609 R22 RAS LINKCARD SEVERE x", Error),
        (
            "- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond(pam_unix)[2915]: session closed for user root",
            Info,
        ),
        ("- 1131566461 2005.11.09 dn3 Nov 9 12:01:01 dn3/dn3 ntpd[12]: sendto failed", Failure),
        (
            "[10.30 16:49:06] chrome.exe - proxy.example:5070 open through proxy proxy.example:5070 HTTPS",
            Info,
        ),
        ("[10.30 16:49:06] chrome.exe *64 - proxy.example:5070 error : Could not connect", Error),
        ("20171223-22:15:29:606|Step_LSC|30002312|onStandStepChanged 3579", Info),
        ("20171223-22:15:29:606|HiH_|30002312|uploadStaticsToDB failed message=true", Failure),
        (
            "134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change: x",
            Info,
        ),
        ("[1700000000] SERVICE ALERT: web-3;HTTP;CRITICAL;HARD;3;timed out", Critical),
        ("[1700000000] SERVICE ALERT: web-3;HTTP;OK;HARD;3;fine", Info),
        (
            "Nov 21 12:00:00 mac Updater[1]: 2026-11-21 12:00:00.1 Updater[1/0x2] [lvl=2] main() done",
            Info,
        ),
        (
            "Nov 21 12:00:00 web-3 ACPI: PCI interrupt 0000:00:1d.0[A] -> GSI 16 (level, low) -> IRQ 16",
            Info,
        ),
        ("[    12.345678] (EE) Failed to load module", Error),
    ]);
}

#[test]
fn other_programs_have_their_level() {
    check(&[
        ("2026-11-21 12:00:00 | ERROR | shop:handle:12 - lost", Error),
        ("2026-11-21|12:00:00|INFO|error", Info),
        ("level: error, lost", Error),
        ("thread 'main' panicked at src/main.rs:2:5:", Critical),
        ("2026-11-21T12:00:00.123456Z ERROR shop::orders: lost id=1", Error),
        ("2026-11-21T12:00:00.123456Z  INFO shop::orders: error failed", Info),
        ("\u{1b}[2m2026-11-21T12:00:00Z\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m shop: lost", Error),
        ("E: Unable to locate package x", Error),
        ("W: failed to fetch", Warn),
        ("dpkg: warning: unable to delete old directory, failed", Warn),
        ("", Info),
        ("   ", Info),
    ]);
}
