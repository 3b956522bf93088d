use super::*;
use crate::columns::Role;

fn read(text: &str, options: &TableOptions) -> Result<Table> {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    read_csv(file.path(), Holds::Vectors, options, None)
}

fn plain(text: &str) -> Table {
    read(text, &TableOptions::default()).unwrap()
}

fn refused(text: &str) -> String {
    let options = TableOptions::default();
    read(text, &options).map_or_else(|e| e.to_string(), |_| "read".into())
}

fn names(table: &Table) -> Vec<(&str, Role)> {
    table
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.role))
        .collect()
}

#[test]
fn every_kind_of_column() {
    let table = plain(
        "Filename,a,b,Label,nuisance:site,species,domain:lab,group:patient,SPLIT\n\
         a.png,1,2.5,7,north,x,A,p1,train\nb.png,-3,4e2,8,NA,y,B,p2,val\n",
    );
    assert_eq!(
        table.ids.as_deref(),
        Some(&["a.png".into(), "b.png".into()][..])
    );
    assert_eq!(table.split, Some(vec![Split::Train, Split::Val]));
    assert_eq!(table.features.data, [1.0, 2.5, -3.0, 400.0]);
    assert_eq!(
        names(&table),
        [
            ("Label", Role::Label),
            ("site", Role::Nuisance),
            ("species", Role::Label),
            ("lab", Role::Domain),
            ("patient", Role::Group),
        ]
    );
    assert!(!table.columns[1].values.is_known(1));
}

#[test]
fn two_columns_of_one_use_are_an_error_that_says_what_to_do() {
    let text = refused("id,filename,a\n1,x,0\n2,y,1\n");
    assert!(
        text.contains("`id` and `filename`") && text.contains("--id id"),
        "{text}"
    );
    let text = refused("a,Split,split\n1,train,test\n");
    assert!(text.contains("--split-column Split"), "{text}");
    let mut options = TableOptions::default();
    options.rules.id = Some("filename".into());
    let table = read("id,filename,a\n1,x,0\n2,y,1\n", &options).unwrap();
    assert_eq!(table.ids.unwrap()[1], "y");
    assert_eq!(table.features.cols, 1);
    // One that repeats is no id.
    let table = plain("id,filename,a\n1,x,0\n2,x,1\n");
    assert_eq!(table.ids.unwrap()[1], "2");
}

#[test]
fn what_counts_rows_is_no_feature_and_no_task() {
    let rows: String = (0..10)
        .map(|i| format!("{i},{},{}\n", i * i % 7, i % 2))
        .collect();
    for title in ["", "Unnamed: 0", "index", "sample_id", "t"] {
        let table = plain(&format!("{title},f,label\n{rows}"));
        assert_eq!(table.features.cols, 1, "{title}");
        assert_eq!(
            table.ids.as_ref().map(|ids| ids[9].as_str()),
            Some("9"),
            "{title}"
        );
    }
    let rows: String = (0..10)
        .map(|i| format!("s{i},{i},{}\n", i * i % 7))
        .collect();
    let table = plain(&format!("id,t,f\n{rows}"));
    assert_eq!(table.feature_titles, ["f"]);
    assert!(table.reading.notes[0].contains("`t` is ignored: counts the rows"));
    let mut options = TableOptions::default();
    options.rules.roles = vec![("t".into(), "feature".into())];
    let table = read(&format!("id,t,f\n{rows}"), &options).unwrap();
    assert_eq!(table.feature_titles, ["t", "f"]);
}

#[test]
fn broken_tables_are_named_with_line_and_column() {
    for (text, why) in [
        (
            "a,b\n1,2\n3,x\n4,5\n",
            "line 3, column `b`: `x` is no finite number",
        ),
        ("a,b\n1,2\ninf,3\n", "line 3, column `a`: `inf`"),
        ("a,b\r\n1,2\r\n\r\n3,x\r\n", "line 4, column `b`: `x`"),
        ("a,b\n1,2\n3,\n", "`b` 1 of 2 (first in line 3"),
        ("a,b\nNA,2\n3,?\n", "`a` 1 of 2, `b` 1 of 2"),
        ("a,split\n1,eval\n", "unknown split `eval`"),
        (
            "a,target:t\n1,2\n2,x\n",
            "line 3, column `t`: `x` is no number",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(".csv") && error.contains(why), "{error}");
    }
}

#[test]
fn missing_features_are_filled_or_dropped_when_asked() {
    let text = "a,b,split\n1,2,train\n3,,train\n5,8,train\n9,90,test\n";
    let with = |missing| {
        let options = TableOptions {
            missing,
            ..TableOptions::default()
        };
        read(text, &options).unwrap()
    };
    let mut mean = with(Missing::Mean);
    mean.fill_gaps(&[true, true, true, false]);
    assert_eq!(mean.features.row(1), [3.0, 5.0]);
    let dropped = with(Missing::Drop);
    assert_eq!(dropped.features.data, [1.0, 2.0, 5.0, 8.0, 9.0, 90.0]);
    assert!(dropped.reading.notes[0].contains("1 of 4 rows"));
}

#[test]
fn large_common_parts_are_subtracted_in_double_precision() {
    let rows: String = (0..20)
        .map(|i| format!("{},{i}.5\n", 1_700_000_000 + 3 * i))
        .collect();
    let table = plain(&format!("a,b\n{rows}"));
    assert_eq!(table.shift.len(), 2);
    assert_eq!(table.shift[1], 0.0);
    for i in 0..20 {
        let value = f64::from(table.features.row(i)[0]) + table.shift[0];
        assert_eq!(value, f64::from(1_700_000_000 + 3 * i as u32));
    }
    assert!(plain("a\n1\n2\n").shift.is_empty());
}

#[test]
fn several_labels_and_one_hot_columns() {
    let table = plain("f,labels:tags,k=a,k=b,c=x,c=y\n1,a|b,1,1,0,1\n2,|,0,1,1,0\n3,,0,0,1,0\n");
    let of = |name: &str| {
        let column = table.columns.iter().find(|c| c.name == name);
        column.unwrap_or_else(|| panic!("no {name}")).values.clone()
    };
    let Values::MultiLabel { sets, .. } = of("tags") else {
        panic!("sets expected")
    };
    assert_eq!(sets, [Some(vec![0, 1]), Some(vec![]), None]);
    let Values::MultiLabel { names, sets } = of("k") else {
        panic!("sets expected")
    };
    assert_eq!((names.len(), &sets[2]), (2, &Some(vec![])));
    assert!(
        matches!(of("c"), Values::Classes { .. }),
        "exactly one in each row"
    );
    assert_eq!(table.features.cols, 1);
}

#[test]
fn the_task_is_the_column_that_says_so() {
    for (text, task) in [
        ("a,city,class\n1,Bonn,x\n2,Ulm,y\n", "class"),
        ("a,city,label:kind\n1,Bonn,x\n2,Ulm,y\n", "kind"),
        ("a,city,kind\n1,Bonn,x\n2,Ulm,y\n", "city"),
        ("a,target:age,y\n1,2,3\n3,4,5\n", "age"),
        ("a,city,target:age,Class\n1,Bonn,2,x\n2,Ulm,3,y\n", "Class"),
    ] {
        assert_eq!(plain(text).columns[0].name, task);
    }
    let mut options = TableOptions::default();
    options.rules.label = Some("b".into());
    let table = read("a,b,class\n1,2.5,x\n2,3,y\n", &options).unwrap();
    assert_eq!(table.columns[0].name, "b");
    assert!(matches!(table.columns[0].values, Values::Numbers(_)));
    options.rules.label = Some("bb".into());
    let error = read("a,b\n1,2\n", &options).err().unwrap().to_string();
    assert!(error.contains("`bb`"), "{error}");
}
