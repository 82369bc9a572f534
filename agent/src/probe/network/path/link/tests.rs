use super::super::kind::{Kind, header_bytes};
use super::*;
use proptest::prelude::*;

/// An answer to `RTM_GETLINK`: `struct ifinfomsg` and attributes, as the kernel lays them out.
fn answer(hardware_type: u16, index: u32, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend(hardware_type.to_ne_bytes());
    body.extend(index.to_ne_bytes());
    body.resize(IFINFOMSG_BYTES, 0);
    for (kind, value) in attributes {
        push_attribute(&mut body, *kind, value);
    }
    body
}

fn info(kind: &str, data: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut nested = Vec::new();
    for (kind, value) in data {
        push_attribute(&mut nested, *kind, value);
    }
    let mut info = Vec::new();
    push_attribute(&mut info, IFLA_INFO_KIND, format!("{kind}\0").as_bytes());
    // The upper bit says that attributes are within, which not every kernel sets.
    push_attribute(&mut info, IFLA_INFO_DATA | 0x8000, &nested);
    info
}

#[test]
fn a_tunnel_says_what_it_goes_over_and_to_whom() {
    let v6 = [vec![0xfd], vec![0; 14], vec![7]].concat();
    let far = IpAddr::from([10, 0, 0, 2]);
    let cases = [
        (
            "vxlan",
            vec![(2, vec![10, 0, 0, 2]), (3, 2_u32.to_ne_bytes().to_vec())],
            Outer::V4,
            Some(50),
            Some(far),
        ),
        ("vxlan", vec![(17, v6.clone())], Outer::V6, Some(70), None),
        ("vxlan", vec![(2, vec![239, 1, 1, 1])], Outer::V4, Some(50), None),
        ("vxlan", vec![(25, vec![1])], Outer::Unknown, None, None),
        ("vxlan", vec![(25, vec![0])], Outer::V4, Some(50), None),
        ("geneve", vec![(2, vec![10, 0, 0, 2])], Outer::V4, Some(50), Some(far)),
        ("geneve", vec![(6, Vec::new())], Outer::Unknown, None, None),
        ("ipip", vec![(3, vec![10, 0, 0, 2])], Outer::V4, Some(20), Some(far)),
        ("ipip", vec![(3, vec![0; 4])], Outer::V4, Some(20), None),
    ];
    for (kind, data, outer, headers, remote) in cases {
        let body =
            answer(1, 7, &[(IFLA_MTU, 1450_u32.to_ne_bytes().to_vec()), (IFLA_LINKINFO, info(kind, &data))]);
        let link = parse(&body).unwrap();
        assert_eq!((link.outer, link.remote, link.mtu), (outer, remote, Some(1450)), "{kind} {data:?}");
        assert_eq!(header_bytes(Kind::of(&link), link.outer), headers, "{kind} {data:?}");
    }
}

/// A recorded answer: kind, then the message.
fn recorded(name: &str) -> Link {
    let lines = include_str!("recorded.txt").lines();
    let hex = lines.filter_map(|line| line.split_once(' ')).find(|(kind, _)| *kind == name).unwrap().1;
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    parse(&(0..hex.len()).step_by(2).map(byte).collect::<Vec<u8>>()).unwrap()
}

#[test]
fn what_a_kernel_said_of_its_devices_is_understood() {
    let far = Some(IpAddr::from([10, 99, 0, 2]));
    let far_v6 = Some("fd99::2".parse().unwrap());
    let veth0 = Some(Device::Index(10));
    for (name, kind, mtu, headers, remote, lower) in [
        ("vxlan", Kind::Vxlan, 1450, Some(50), far, veth0.clone()),
        ("geneve", Kind::Geneve, 1450, Some(50), far, None),
        ("geneve6", Kind::Geneve, 1430, Some(70), far_v6, None),
        ("ipip", Kind::Ipip, 1480, Some(20), far, None),
        ("sit", Kind::Sit, 1480, Some(20), far, None),
        ("gre", Kind::Gre, 1476, None, far, None),
        ("gretap", Kind::Gre, 1462, None, far, None),
        ("wireguard", Kind::Wireguard, 1420, None, None, None),
        ("vlan", Kind::Vlan, 1500, Some(4), None, veth0.clone()),
        ("ipvlan", Kind::Ipvlan, 1500, Some(0), None, veth0.clone()),
        ("dummy", Kind::Dummy, 1500, Some(0), None, None),
    ] {
        let link = recorded(name);
        let found = (Kind::of(&link), link.mtu, header_bytes(Kind::of(&link), link.outer), link.remote);
        assert_eq!(found, (kind, Some(mtu), headers, remote), "{name}");
        assert_eq!(link.lower, lower, "{name}");
    }
}

#[test]
fn what_is_elsewhere_is_not_below() {
    let below = (IFLA_LINK, 5_u32.to_ne_bytes().to_vec());
    let elsewhere = (IFLA_LINK_NETNSID, 0_u32.to_ne_bytes().to_vec());
    let of = |kind: &str, more: &[(u16, Vec<u8>)]| {
        parse(&answer(1, 7, &[&[below.clone(), (IFLA_LINKINFO, info(kind, &[]))], more].concat()))
            .unwrap()
            .lower
    };
    assert_eq!(of("macvlan", &[]), Some(Device::Index(5)));
    assert_eq!(of("macvlan", std::slice::from_ref(&elsewhere)), None);
    for pair in ["veth", "netkit"] {
        assert_eq!(of(pair, &[]), None, "the other end of a pair");
    }
}

#[test]
fn what_is_made_by_the_name_of_its_kind_is_of_that_kind() {
    let of = |kind: &str| {
        let link = parse(&answer(1, 7, &[(IFLA_LINKINFO, info(kind, &[]))])).unwrap();
        (Kind::of(&link), header_bytes(Kind::of(&link), link.outer))
    };
    assert_eq!(of("netkit"), (Kind::Netkit, Some(0)));
    // Ports of its own and the datapath alike.
    assert_eq!(of("openvswitch"), (Kind::Openvswitch, Some(0)));
    assert_eq!(of("bridge"), (Kind::Bridge, Some(0)));
    assert_eq!(of("team"), (Kind::Bond, Some(0)));
    assert_eq!(of("of_the_future"), (Kind::Other, None));
}

/// A device in a tree of files: files, and links with their targets.
fn device(files: &[(&str, &str)], links: &[(&str, &str)]) -> Kind {
    let tree = tempfile::tempdir().unwrap();
    let folder = tree.path().join("sys/class/net/dev0");
    let place = |path: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    for (path, text) in files {
        std::fs::write(place(path), text).unwrap();
    }
    for (path, target) in links {
        std::os::unix::fs::symlink(target, place(path)).unwrap();
    }
    let fs = HostFs::fixture(tree.path());
    Kind::of(&of(&fs, &mut None, &Device::Name("dev0".to_owned())).unwrap())
}

#[test]
fn a_device_is_known_by_its_files_alone() {
    let ether = ("type", "1\n");
    let made_as =
        |kind: &str| device(&[ether, ("uevent", &format!("DEVTYPE={kind}\nINTERFACE=dev0\n"))], &[]);
    for (kind, expected) in [
        ("vxlan", Kind::Vxlan),
        ("geneve", Kind::Geneve),
        ("bridge", Kind::Bridge),
        ("wireguard", Kind::Wireguard),
        ("macvlan", Kind::Macvlan),
        ("ipvlan", Kind::Ipvlan),
        ("vlan", Kind::Vlan),
        ("bond", Kind::Bond),
    ] {
        assert_eq!(made_as(kind), expected);
    }
    let driven =
        |driver: &str| device(&[ether], &[("device/driver", &format!("../../bus/x/drivers/{driver}"))]);
    for (driver, expected) in [
        ("virtio_net", Kind::Virtio),
        ("hv_netvsc", Kind::Hyperv),
        ("vmxnet3", Kind::Vmware),
        ("vif", Kind::Xen),
        ("iavf", Kind::SrIov),
        ("ena", Kind::SrIov),
        ("ixgbe", Kind::Physical),
    ] {
        assert_eq!(driven(driver), expected, "{driver}");
    }
    let driver = ("device/driver", "../../bus/pci/drivers/mlx5_core");
    let mellanox =
        |id: &str| device(&[ether, ("device/vendor", "0x15b3\n"), ("device/device", id)], &[driver]);
    assert_eq!((mellanox("0x1017\n"), mellanox("0x1018\n")), (Kind::Physical, Kind::SrIov));
    assert_eq!(device(&[ether, ("device/physfn/vendor", "x")], &[driver]), Kind::SrIov);
    assert_eq!(device(&[ether, ("uevent", "DEVTYPE=wlan\n"), ("device/x", "")], &[]), Kind::Physical);
    assert_eq!(device(&[ether, ("ifindex", "7\n"), ("iflink", "6\n")], &[]), Kind::Veth);
    assert_eq!(device(&[ether, ("tun_flags", "0x1002\n")], &[]), Kind::Tun);
    assert_eq!(device(&[("type", "768\n")], &[]), Kind::Ipip);
    assert_eq!(device(&[("type", "772\n")], &[]), Kind::Loopback);
    assert_eq!(device(&[ether], &[]), Kind::Other);
}

proptest! {
    #[test]
    fn any_answer_is_survived(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _link = parse(&body);
    }
}
