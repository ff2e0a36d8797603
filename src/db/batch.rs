//! Batches whose parts know how their answers are read: what is asked first is answered first, by type.

use serde::de::DeserializeOwned;

use super::{Answer, DbError, FromRow, Row, Statement};

/// A statement, and how its answer is read.
#[derive(Debug, Clone)]
pub struct Query<T> {
    statement: Statement,
    read: fn(Answer) -> Result<T, DbError>,
}

impl<T> Query<T> {
    /// A statement whose answer `read` reads.
    pub const fn new(statement: Statement, read: fn(Answer) -> Result<T, DbError>) -> Self {
        Self { statement, read }
    }

    /// The same, with what was read of its answer, or with why it can't be read, made into something else.
    pub fn then<U>(self, make: impl FnOnce(Result<T, DbError>) -> U + 'static) -> Then<U>
    where
        T: 'static,
    {
        let Self { statement, read } = self;
        Then { statement, read: Box::new(move |answer| make(read(answer))) }
    }
}

/// A query whose answer is made into something else. One that can't be read does not fail the batch.
pub struct Then<U> {
    statement: Statement,
    read: Box<dyn FnOnce(Answer) -> U>,
}

impl<T: FromRow> Query<Vec<T>> {
    /// A statement that answers any number of rows.
    pub const fn rows(statement: Statement) -> Self {
        Self::new(statement, |answer| answer.rows.iter().map(|row| Row::read(row.get())).collect())
    }
}

impl<T: FromRow> Query<Option<T>> {
    /// A statement that answers one row, or none.
    pub const fn optional(statement: Statement) -> Self {
        Self::new(statement, |answer| answer.rows.first().map(|row| Row::read(row.get())).transpose())
    }
}

impl<T: FromRow> Query<T> {
    /// A statement that answers one row, whatever is stored.
    pub const fn one(statement: Statement) -> Self {
        Self::new(statement, |answer| {
            let row =
                answer.rows.first().ok_or_else(|| DbError::Corrupt("no row where one is".to_owned()))?;
            Row::read(row.get())
        })
    }
}

impl<T: DeserializeOwned> Query<Option<T>> {
    /// A statement that answers one row of one column, or none.
    pub const fn scalar(statement: Statement) -> Self {
        Self::new(statement, |answer| answer.rows.first().map(|row| Row::read_scalar(row.get())).transpose())
    }
}

impl<T: DeserializeOwned> Query<Vec<T>> {
    /// A statement that answers any number of rows of one column.
    pub const fn scalars(statement: Statement) -> Self {
        Self::new(statement, |answer| answer.rows.iter().map(|row| Row::read_scalar(row.get())).collect())
    }
}

/// Rows that were read each on its own: one that went wrong must not hold up the rest.
pub type Lossy<T> = Vec<Result<T, Unreadable>>;

/// A row that is not what the schema promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its id, as far as it has one.
    pub id: Option<String>,
    /// Whose it is, as far as it says.
    pub tenant: Option<String>,
    /// What is wrong with it.
    pub error: DbError,
}

impl Unreadable {
    pub(super) fn of(row: &str, error: DbError) -> Self {
        Self { id: Row::find(row, "id"), tenant: Row::find(row, "tenant_id"), error }
    }
}

impl<T: FromRow> Query<Lossy<T>> {
    /// A statement whose rows are worked through one by one.
    pub const fn lossy(statement: Statement) -> Self {
        Self::new(statement, |answer| {
            let read = |text| Row::read(text).map_err(|error| Unreadable::of(text, error));
            Ok(answer.rows.iter().map(|row| read(row.get())).collect())
        })
    }
}

/// What the database answered to a batch, in order.
#[derive(Debug)]
pub struct Answers(std::vec::IntoIter<Answer>);

impl From<Vec<Answer>> for Answers {
    fn from(answers: Vec<Answer>) -> Self {
        Self(answers.into_iter())
    }
}

impl Answers {
    /// The next answer. One that is missing says nothing about what is stored.
    pub fn one(&mut self) -> Result<Answer, DbError> {
        self.0.next().ok_or_else(|| DbError::Corrupt("a statement was not answered".to_owned()))
    }
}

/// What can be asked in one round trip: a statement, a query, or several of these together.
pub trait Batch {
    /// What is read of the answers.
    type Answer;

    /// The statements, and what reads their answers.
    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<Self::Answer, DbError>);
}

impl Batch for Statement {
    type Answer = Answer;

    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<Answer, DbError>) {
        (vec![self], Answers::one)
    }
}

impl<T> Batch for Query<T> {
    type Answer = T;

    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<T, DbError>) {
        let Self { statement, read } = self;
        (vec![statement], move |answers: &mut Answers| read(answers.one()?))
    }
}

impl<U> Batch for Then<U> {
    type Answer = U;

    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<U, DbError>) {
        let Self { statement, read } = self;
        (vec![statement], move |answers: &mut Answers| answers.one().map(read))
    }
}

impl Batch for Vec<Statement> {
    type Answer = Vec<Answer>;

    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<Vec<Answer>, DbError>) {
        let many = self.len();
        (self, move |answers: &mut Answers| (0..many).map(|_| answers.one()).collect())
    }
}

impl<const N: usize> Batch for [Statement; N] {
    type Answer = [Answer; N];

    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<[Answer; N], DbError>) {
        let read = |answers: &mut Answers| {
            let mut read = std::array::from_fn(|_| Answer::default());
            for answer in &mut read {
                *answer = answers.one()?;
            }
            Ok(read)
        };
        (self.into(), read)
    }
}

impl<B: Batch> Batch for Option<B> {
    type Answer = Option<B::Answer>;

    fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<Self::Answer, DbError>) {
        let (statements, read) = self.map(Batch::split).unzip();
        (statements.unwrap_or_default(), |answers: &mut Answers| read.map(|read| read(answers)).transpose())
    }
}

macro_rules! tuples {
    ($(($($part:ident),*))+) => {$(
        impl<$($part: Batch),*> Batch for ($($part,)*) {
            type Answer = ($($part::Answer,)*);

            #[expect(non_snake_case, reason = "a part is named as its type")]
            fn split(self) -> (Vec<Statement>, impl FnOnce(&mut Answers) -> Result<Self::Answer, DbError>) {
                let ($($part,)*) = self;
                let mut statements = Vec::new();
                $(let $part = {
                    let (more, read) = $part.split();
                    statements.extend(more);
                    read
                };)*
                (statements, move |answers: &mut Answers| Ok(($($part(answers)?,)*)))
            }
        }
    )+};
}

tuples! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::columns;

    #[derive(Debug, PartialEq, Eq)]
    struct Named {
        name: String,
    }

    columns! { Named: name }

    fn answer(rows: &[&str]) -> Answer {
        Answer { rows: rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect(), changes: 1 }
    }

    fn named() -> Query<Option<Named>> {
        Query::optional(Statement::new("select name", []))
    }

    #[test]
    fn each_part_of_a_batch_gets_its_own_answer() {
        let change = Statement::new("update", []);
        let parts =
            (change.clone(), Some(named()), None::<Statement>, [change.clone()], vec![change], named());
        let (statements, read) = parts.split();
        assert_eq!(statements.len(), 5);
        let answers = vec![answer(&[]), answer(&[r#"{"name":"a"}"#]), answer(&[]), answer(&[]), answer(&[])];
        let (changed, first, left_out, [_], many, last) = read(&mut Answers::from(answers)).unwrap();
        assert!(changed.has_changed());
        assert_eq!(first.flatten().unwrap().name, "a");
        assert!(left_out.is_none());
        assert_eq!(many.len(), 1);
        assert!(last.is_none(), "an answer without rows is none");
    }

    #[test]
    fn a_missing_answer_is_corrupt_and_never_not_found() {
        for answers in [vec![], vec![answer(&[])]] {
            let (_, read) = (named(), named()).split();
            assert!(matches!(read(&mut Answers::from(answers)), Err(DbError::Corrupt(_))));
        }
        let (_, read) = vec![Statement::new("update", [])].split();
        assert!(matches!(read(&mut Answers::from(vec![])), Err(DbError::Corrupt(_))));
        let (_, read) = Query::<Named>::one(Statement::new("select name", [])).split();
        assert!(matches!(read(&mut Answers::from(vec![answer(&[])])), Err(DbError::Corrupt(_))));
    }

    #[test]
    fn what_can_not_be_read_fails_its_own_part_of_a_batch_alone() {
        let found = |rows: &[&str]| {
            let (_, read) = (named().then(|found| found.map(|named| named.is_some())), named()).split();
            read(&mut Answers::from(vec![answer(rows), answer(&[])])).unwrap().0
        };
        assert_eq!(found(&[r#"{"name":"a"}"#]), Ok(true));
        assert_eq!(found(&[]), Ok(false));
        assert!(matches!(found(&[r#"{"name":1}"#]), Err(DbError::Corrupt(_))));
        let (_, read) = named().then(|found| found.is_ok()).split();
        assert!(matches!(read(&mut Answers::from(vec![])), Err(DbError::Corrupt(_))));
    }

    #[test]
    fn a_row_that_went_wrong_says_whose_it_is_and_holds_up_no_other() {
        let (_, read) = Query::<Lossy<Named>>::lossy(Statement::new("select name", [])).split();
        let rows = [r#"{"name":1,"id":"mail_1","tenant_id":"tenant_1"}"#, "1", r#"{"name":"a"}"#];
        let rows = read(&mut Answers::from(vec![answer(&rows)])).unwrap();
        let [Err(first), Err(second), Ok(third)] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((first.id.as_deref(), first.tenant.as_deref()), (Some("mail_1"), Some("tenant_1")));
        assert_eq!((second.id.as_deref(), second.tenant.as_deref()), (None, None));
        assert_eq!(third.name, "a");
    }
}
